/* SPDX-License-Identifier: Apache-2.0 */
/* Turns a result, JSON that a command wrote, into rows and columns. Elements of a list
 * are cut out by their brackets and parsed one by one: a whole page has more values
 * than one document may hold. How a grid looks is decided in cli_render.c. */
#include "gateway/cli/cli_grid.h"

#include <string.h>

static FALLIBLE no_memory(struct err *err)
{
    return err_set(err, ERR_TOO_LARGE, "the result is too large to be shown; use -o json");
}

static FALLIBLE malformed(struct err *err)
{
    return err_detail(err, ERR_INTERNAL, "a command wrote a malformed result");
}

static void skip_space(struct str *rest)
{
    *rest = str_trim(*rest);
}

/* Moves behind one value and returns its text; empty when there is none. Knows strings
 * and brackets only: what is inside is checked where it is parsed. */
static struct str take_value(struct str *rest)
{
    size_t pos = 0, depth = 0;
    bool in_string = false;

    skip_space(rest);
    for (; pos < rest->len; pos++) {
        char c = rest->ptr[pos];

        if (in_string) {
            pos += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (depth == 0 && (c == ',' || c == ':' || c == '}' || c == ']')) {
            break;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    pos = pos > rest->len ? rest->len : pos;
    struct str value = {rest->ptr, in_string || depth > 0 ? 0 : pos};

    rest->ptr += pos;
    rest->len -= pos;
    return str_trim(value);
}

static bool take_byte(struct str *rest, char c)
{
    skip_space(rest);
    if (rest->len == 0 || rest->ptr[0] != c)
        return false;
    rest->ptr++;
    rest->len--;
    return true;
}

enum err_code cli_grid_split(struct str result, struct grid_parts *ret_parts, struct err *err)
{
    struct grid_parts parts = {0};
    struct str rest = str_trim(result);

    if (rest.len > 0 && rest.ptr[0] == '[') {
        *ret_parts = (struct grid_parts){.is_list = true, .items = rest};
        return ERR_OK;
    }
    if (take_byte(&rest, '{') && !take_byte(&rest, '}')) {
        do {
            struct str name = take_value(&rest);
            bool has_value = take_byte(&rest, ':');
            struct str value = take_value(&rest);

            if (name.len == 0 || !has_value || value.len == 0)
                return malformed(err);
            if (str_is(name, "\"items\"") && value.ptr[0] == '[') {
                parts.is_list = true;
                parts.items = value;
            } else if (str_is(name, "\"next\"") && !str_is(value, "null")) {
                parts.next = value;
            }
        } while (take_byte(&rest, ','));
        if (!take_byte(&rest, '}'))
            return malformed(err);
    }
    *ret_parts = parts;
    return ERR_OK;
}

static bool is_simple(const struct json_value *value)
{
    enum json_type type = json_type(value);

    return type != JSON_ARRAY && type != JSON_OBJECT;
}

static FALLIBLE join_array(struct arena *arena, const struct json_doc *doc,
                           const struct json_value *array, struct str *ret_text,
                           struct err *err)
{
    CLEANUP(buf_fini) struct buf joined = {0};

    buf_init(&joined, arena->max);
    for (const struct json_value *value = json_first(array); value != NULL;
         value = json_next(value)) {
        struct str text = json_raw(doc, value);

        if (is_simple(value))
            TRY(cli_grid_cell(arena, doc, value, &text, err));
        if (value != json_first(array))
            buf_puts(&joined, ", ");
        buf_put_str(&joined, text);
    }
    TRY(buf_check(&joined, err));
    char *copy = arena_dup(arena, buf_str(&joined));

    if (copy == NULL)
        return no_memory(err);
    *ret_text = (struct str){copy, joined.len};
    return ERR_OK;
}

enum err_code cli_grid_cell(struct arena *arena, const struct json_doc *doc,
                            const struct json_value *value, struct str *ret_text,
                            struct err *err)
{
    struct str text = {0};
    bool simple = true;

    if (json_type(value) == JSON_ARRAY) {
        for (const struct json_value *child = json_first(value); child != NULL;
             child = json_next(child))
            simple = simple && is_simple(child);
        if (simple)
            return join_array(arena, doc, value, ret_text, err);
    }
    if (json_type(value) == JSON_STRING)
        text = json_text(doc, value);
    else if (json_type(value) != JSON_NULL)
        text = json_raw(doc, value);
    char *copy = arena_dup(arena, text);

    if (copy == NULL)
        return no_memory(err);
    *ret_text = (struct str){copy, text.len};
    return ERR_OK;
}

/* Amounts are decimal texts and belong under one another like numbers. */
static bool is_decimal(struct str text)
{
    size_t pos = text.len > 0 && text.ptr[0] == '-';
    bool point = false;

    if (pos == text.len)
        return false;
    for (; pos < text.len; pos++) {
        char c = text.ptr[pos];

        if (c == '.' && !point && pos > 0)
            point = true;
        else if (c < '0' || c > '9')
            return false;
    }
    return true;
}

static FALLIBLE column_take(struct grid *grid, const char *name, size_t *ret_index,
                            struct err *err)
{
    for (size_t i = 0; i < grid->column_count; i++) {
        if (strcmp(grid->columns[i].name, name) == 0) {
            *ret_index = i;
            return ERR_OK;
        }
    }
    if (grid->column_count == GRID_COLUMNS_MAX)
        return no_memory(err);
    char *copy = arena_dup(grid->arena, str_from(name));

    if (copy == NULL)
        return no_memory(err);
    grid->columns[grid->column_count] = (struct grid_column){.name = copy};
    *ret_index = grid->column_count++;
    return ERR_OK;
}

static FALLIBLE put_cell(struct grid *grid, struct grid_row *row, const char *name,
                         struct str text, struct err *err)
{
    size_t index = 0;

    TRY(column_take(grid, name, &index, err));
    struct grid_column *column = &grid->columns[index];

    row->cells[index] = text;
    column->filled = column->filled || text.len > 0;
    column->is_text = column->is_text || (text.len > 0 && !is_decimal(text));
    column->widest = text.len > column->widest ? text.len : column->widest;
    return ERR_OK;
}

static FALLIBLE row_add(struct grid *grid, struct grid_row **ret_row, struct err *err)
{
    struct grid_row *row = arena_alloc(grid->arena, sizeof(*row));

    if (row == NULL)
        return no_memory(err);
    if (grid->last == NULL)
        grid->first = row;
    else
        grid->last->next = row;
    grid->last = row;
    grid->row_count++;
    *ret_row = row;
    return ERR_OK;
}

enum err_code cli_grid_pair(struct grid *grid, const char *name, struct str value,
                            struct err *err)
{
    struct grid_row *row = NULL;

    TRY(row_add(grid, &row, err));
    TRY(put_cell(grid, row, "name", str_from(name), err));
    return put_cell(grid, row, "value", value, err);
}

enum err_code cli_grid_row(struct grid *grid, struct str object, struct err *err)
{
    CLEANUP(arena_fini) struct arena arena = {0}; /* the document dies with its row */
    CLEANUP(json_free) struct json_doc *doc = NULL;
    const struct json_value *root;
    struct grid_row *row = NULL;
    struct str text;

    arena_init(&arena, grid->arena->max);
    TRY(json_parse(&arena, object, &doc, err));
    TRY(row_add(grid, &row, err));
    root = json_root(doc);
    if (json_type(root) != JSON_OBJECT) {
        TRY(cli_grid_cell(grid->arena, doc, root, &text, err));
        return put_cell(grid, row, "value", text, err);
    }
    for (const struct json_value *value = json_first(root); value != NULL;
         value = json_next(value)) {
        TRY(cli_grid_cell(grid->arena, doc, value, &text, err));
        TRY(put_cell(grid, row, json_name(value), text, err));
    }
    return ERR_OK;
}

enum err_code cli_grid_list(struct grid *grid, struct str array, struct err *err)
{
    struct str rest = array;

    if (!take_byte(&rest, '['))
        return malformed(err);
    if (take_byte(&rest, ']'))
        return ERR_OK;
    do {
        struct str element = take_value(&rest);

        if (element.len == 0)
            return malformed(err);
        TRY(cli_grid_row(grid, element, err));
    } while (take_byte(&rest, ','));
    return take_byte(&rest, ']') ? ERR_OK : malformed(err);
}
