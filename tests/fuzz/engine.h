/* SPDX-License-Identifier: Apache-2.0 */
/* CivetWeb's parser without its sockets: a connection whose bytes have all come. */
#ifndef ARKGATE_TESTS_FUZZ_ENGINE_H
#define ARKGATE_TESTS_FUZZ_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mg_connection;

/* Parses the head that stands at the start of bytes, up to where begin_request is called.
 * NULL when the engine refuses it. One connection at a time; bytes are changed and must live
 * until engine_end. */
struct mg_connection *engine_begin(char *bytes, size_t len);
void engine_end(struct mg_connection *conn);
/* Where the head ends, what length the engine believes in (0 when chunked), and whether a
 * chunked body was read to its end. */
size_t engine_head_len(const struct mg_connection *conn);
int64_t engine_length(const struct mg_connection *conn);
bool engine_is_chunked(const struct mg_connection *conn);
bool engine_is_complete(const struct mg_connection *conn);

#endif
