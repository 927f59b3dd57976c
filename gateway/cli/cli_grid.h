/* SPDX-License-Identifier: Apache-2.0 */
/* A result as rows and columns, before it is drawn. Texts live in the grid's arena. */
#ifndef ARKGATE_GATEWAY_CLI_GRID_H
#define ARKGATE_GATEWAY_CLI_GRID_H

#include "base/json.h"

enum { GRID_COLUMNS_MAX = 48 /* the widest list, the ledger's, has 22 members */ };

struct grid_column {
    const char *name;
    bool filled;   /* some cell is not empty */
    bool is_text;  /* some cell is neither empty nor a decimal number */
    size_t widest; /* bytes of the longest cell */
};
struct grid_row {
    struct grid_row *next;
    struct str cells[GRID_COLUMNS_MAX];
};
struct grid {
    struct arena *arena;
    struct grid_column columns[GRID_COLUMNS_MAX];
    size_t column_count, row_count;
    struct grid_row *first, *last;
};

/* A result taken apart: a list of items, or one value. */
struct grid_parts {
    bool is_list;
    struct str items; /* the array's text when it is a list */
    struct str next;  /* the raw value of "next"; empty when absent or null */
};
/* Looks at the top level alone, so a page of any size fits. */
FALLIBLE cli_grid_split(struct str result, struct grid_parts *ret_parts, struct err *err);
/* A row for each element; columns are the union of the members of its objects, in
 * the order in which they first appear. Any other element has one column, "value". */
FALLIBLE cli_grid_list(struct grid *grid, struct str array, struct err *err);
/* Adds one row: a cell for each member. */
FALLIBLE cli_grid_row(struct grid *grid, struct str object, struct err *err);
/* Adds a row of two cells. */
FALLIBLE cli_grid_pair(struct grid *grid, const char *name, struct str value, struct err *err);
/* What a value looks like in a cell: a text without quotes, null as nothing, an array
 * of simple values joined with ", ", any other as its JSON. */
FALLIBLE cli_grid_cell(struct arena *arena, const struct json_doc *doc,
                       const struct json_value *value, struct str *ret_text, struct err *err);

#endif
