/* SPDX-License-Identifier: Apache-2.0 */
/* How a result looks on stdout: a table for people, CSV for spreadsheets, or the JSON
 * as the command wrote it. What stands in a cell is decided in cli_grid.c. */
#include "gateway/cli/cli.h"
#include "gateway/cli/cli_grid.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    RENDER_ARENA_MAX = 256 << 20, /* four times the longest result */
    /* On a terminal longer columns give way (hashes, reasons); ids of tasks, the
     * longest that people copy, have 36. */
    NARROW_MAX = 40
};

static const struct {
    const char *word;
    enum cli_output output;
} outputs[] = {{"table", CLI_TABLE}, {"json", CLI_JSON}, {"csv", CLI_CSV}};

bool cli_render_parse(const char *word, enum cli_output *ret_output)
{
    for (size_t i = 0; i < COUNT_OF(outputs); i++) {
        if (strcmp(outputs[i].word, word) == 0) {
            *ret_output = outputs[i].output;
            return true;
        }
    }
    return false;
}

/* Code points that would move the cursor, break the line or turn the direction of
 * what follows; 0 for all others. text is valid UTF-8. */
static unsigned harmful(struct str text, size_t pos, size_t *ret_len)
{
    unsigned char byte[3] = {0};

    for (size_t i = 0; i < sizeof(byte) && pos + i < text.len; i++)
        byte[i] = (unsigned char)text.ptr[pos + i];
    *ret_len = 1;
    if (byte[0] < 0x20 || byte[0] == 0x7f)
        return byte[0];
    if (byte[0] == 0xC2 && byte[1] < 0xA0) {
        *ret_len = 2;
        return byte[1];
    }
    unsigned code = (byte[0] & 0x0Fu) << 12 | (byte[1] & 0x3Fu) << 6 | (byte[2] & 0x3Fu);

    if (byte[0] != 0xE2 ||
        !(code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
          (code >= 0x2066 && code <= 0x2069)))
        return 0;
    *ret_len = 3;
    return code;
}

/* The cell with control characters shown as JSON shows them. */
static FALLIBLE shown(struct arena *arena, struct str text, const char **ret_text,
                      struct err *err)
{
    CLEANUP(buf_fini) struct buf copy = {0};

    buf_init(&copy, RENDER_ARENA_MAX);
    for (size_t pos = 0, len; pos < text.len; pos += len) {
        unsigned code = harmful(text, pos, &len);

        if (code == 0)
            buf_put(&copy, text.ptr + pos, 1);
        else if (code == '\n' || code == '\t')
            buf_puts(&copy, code == '\n' ? "\\n" : "\\t");
        else
            buf_printf(&copy, "\\u%04x", code);
    }
    TRY(buf_check(&copy, err));
    *ret_text = arena_dup(arena, buf_str(&copy));
    return *ret_text == NULL
               ? err_set(err, ERR_TOO_LARGE, "the result is too large to be shown")
               : ERR_OK;
}

static void table_free(struct libscols_table **table)
{
    scols_unref_table(*table);
    *table = NULL;
}

static FALLIBLE table_failed(struct err *err)
{
    return err_detail(err, ERR_INTERNAL, "libsmartcols refused a table");
}

/* Fills the lines; positions of the columns that are drawn, in order. */
static FALLIBLE fill_lines(struct libscols_table *table, const struct grid *grid,
                           const size_t *drawn, size_t count, struct err *err)
{
    for (const struct grid_row *row = grid->first; row != NULL; row = row->next) {
        struct libscols_line *line = scols_table_new_line(table, NULL);

        if (line == NULL)
            return table_failed(err);
        for (size_t i = 0; i < count; i++) {
            const char *text;

            TRY(shown(grid->arena, row->cells[drawn[i]], &text, err));
            if (scols_line_set_data(line, i, text) != 0)
                return table_failed(err);
        }
    }
    return ERR_OK;
}

static FALLIBLE add_column(struct libscols_table *table, const struct grid_column *column,
                           bool may_cut, struct err *err)
{
    char head[64];
    int flags = column->is_text ? 0 : SCOLS_FL_RIGHT;

    str_copy_cut(head, sizeof(head), str_from(column->name));
    for (char *c = head; *c != '\0'; c++) {
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    }
    if (may_cut && column->widest > NARROW_MAX)
        flags |= SCOLS_FL_TRUNC;
    return scols_table_new_column(table, head, 0, flags) == NULL ? table_failed(err) : ERR_OK;
}

/* Columns without a single value are left out. */
static FALLIBLE draw(const struct grid *grid, bool is_list, struct err *err)
{
    CLEANUP(table_free) struct libscols_table *table = scols_new_table();
    size_t drawn[GRID_COLUMNS_MAX], count = 0;
    bool terminal = isatty(STDOUT_FILENO) != 0;

    if (grid->row_count == 0) {
        (void)puts("(none)");
        return ERR_OK;
    }
    if (table == NULL || scols_table_enable_noheadings(table, !is_list) != 0)
        return table_failed(err);
    for (size_t i = 0; i < grid->column_count; i++) {
        struct grid_column column = grid->columns[i];

        if (!column.filled)
            continue;
        if (!is_list) {
            column.name = ""; /* a heading counts for the width even when hidden */
            column.is_text = true;
        }
        TRY(add_column(table, &column, terminal && is_list, err));
        drawn[count++] = i;
    }
    if (count == 0) {
        (void)printf("(%zu rows without a value)\n", grid->row_count);
        return ERR_OK;
    }
    if (!terminal && scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER) != 0)
        return table_failed(err);
    TRY(fill_lines(table, grid, drawn, count, err));
    if (scols_table_set_stream(table, stdout) != 0 || scols_print_table(table) != 0)
        return table_failed(err);
    return ERR_OK;
}

/* Arrays of objects, and objects, get a table of their own. */
static bool has_own_table(const struct json_value *value)
{
    const struct json_value *first = json_first(value);

    return json_type(value) == JSON_OBJECT ||
           (first != NULL && json_type(first) == JSON_OBJECT);
}

static FALLIBLE draw_pairs(struct arena *arena, const struct json_doc *doc,
                           const struct json_value *object, bool is_top, struct err *err)
{
    struct grid grid = {.arena = arena};
    struct str text;

    for (const struct json_value *value = json_first(object); value != NULL;
         value = json_next(value)) {
        if (is_top && has_own_table(value))
            continue;
        TRY(cli_grid_cell(arena, doc, value, &text, err));
        TRY(cli_grid_pair(&grid, json_name(value), text, err));
    }
    return is_top && grid.row_count == 0 ? ERR_OK : draw(&grid, false, err);
}

static FALLIBLE table_object(struct arena *arena, struct str result, struct err *err)
{
    CLEANUP(json_free) struct json_doc *doc = NULL;
    const struct json_value *root;

    TRY(json_parse(arena, result, &doc, err));
    root = json_root(doc);
    if (json_type(root) != JSON_OBJECT) {
        struct grid grid = {.arena = arena};

        TRY(cli_grid_row(&grid, result, err));
        return draw(&grid, false, err);
    }
    TRY(draw_pairs(arena, doc, root, true, err));
    for (const struct json_value *value = json_first(root); value != NULL;
         value = json_next(value)) {
        struct grid grid = {.arena = arena};

        if (!has_own_table(value))
            continue;
        (void)printf("\n%s:\n", json_name(value));
        if (json_type(value) == JSON_OBJECT) {
            TRY(draw_pairs(arena, doc, value, false, err));
        } else {
            TRY(cli_grid_list(&grid, json_raw(doc, value), err));
            TRY(draw(&grid, true, err));
        }
    }
    return ERR_OK;
}

/* RFC 4180, with line feeds alone. */
static void csv_cell(struct str text, bool is_first)
{
    bool quoted = false;

    for (size_t i = 0; i < text.len; i++)
        quoted = quoted || strchr(",\"\r\n", text.ptr[i]) != NULL;
    if (!is_first)
        (void)putchar(',');
    if (quoted)
        (void)putchar('"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            (void)putchar('"');
        (void)putchar(text.ptr[i]);
    }
    if (quoted)
        (void)putchar('"');
}

static void csv(const struct grid *grid)
{
    if (grid->row_count == 0)
        return;
    for (size_t i = 0; i < grid->column_count; i++)
        csv_cell(str_from(grid->columns[i].name), i == 0);
    (void)putchar('\n');
    for (const struct grid_row *row = grid->first; row != NULL; row = row->next) {
        for (size_t i = 0; i < grid->column_count; i++)
            csv_cell(row->cells[i], i == 0);
        (void)putchar('\n');
    }
}

/* Where the list goes on, for whoever reads along. */
static FALLIBLE say_next(struct arena *arena, struct str next, struct err *err)
{
    CLEANUP(json_free) struct json_doc *doc = NULL;
    const char *text;
    struct str cell;

    if (next.len == 0)
        return ERR_OK;
    TRY(json_parse(arena, next, &doc, err));
    TRY(cli_grid_cell(arena, doc, json_root(doc), &cell, err));
    TRY(shown(arena, cell, &text, err));
    (void)fprintf(stderr, "more: --after %s\n", text);
    return ERR_OK;
}

/* An early write may have failed long before the last one. */
static FALLIBLE flushed(struct err *err)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0)
        return err_set(err, ERR_IO, "cannot write to stdout: %s", strerror(errno));
    return ERR_OK;
}

enum err_code cli_render(enum cli_output output, bool quiet, struct str result, struct err *err)
{
    CLEANUP(arena_fini) struct arena arena = {0};
    struct grid grid = {.arena = &arena};
    struct grid_parts parts;

    if (output == CLI_JSON) {
        (void)fwrite(result.ptr, 1, result.len, stdout);
        (void)putchar('\n');
        return flushed(err);
    }
    arena_init(&arena, RENDER_ARENA_MAX);
    TRY(cli_grid_split(result, &parts, err));
    if (parts.is_list)
        TRY(cli_grid_list(&grid, parts.items, err));
    else if (output == CLI_CSV)
        TRY(cli_grid_row(&grid, result, err));
    if (output == CLI_CSV)
        csv(&grid);
    else if (parts.is_list)
        TRY(draw(&grid, true, err));
    else
        TRY(table_object(&arena, result, err));
    TRY(flushed(err));
    return parts.is_list && !quiet ? say_next(&arena, parts.next, err) : ERR_OK;
}
