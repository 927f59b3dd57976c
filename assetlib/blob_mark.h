/* SPDX-License-Identifier: Apache-2.0 */
/* The mark of a folder of blobs: a number at random that the database has too, so that a
 * gateway with the wrong folder is told apart from one whose files were lost. */
#ifndef ARKGATE_ASSETLIB_BLOB_MARK_H
#define ARKGATE_ASSETLIB_BLOB_MARK_H

#include "base/base.h"

enum { BLOB_MARK_LEN = 32 }; /* hex digits: 128 bits */

/* blob_mark.c: files of a data directory ---------------------------------- */

/* "" when the folder has none. */
FALLIBLE blob_mark_read(const char *dir, char ret_mark[BLOB_MARK_LEN + 1], struct err *err);
/* A new mark, written beside the place of the folder's; blob_mark_take puts it there. */
FALLIBLE blob_mark_offer(const char *dir, char ret_mark[BLOB_MARK_LEN + 1], struct err *err);
/* Makes the mark the folder's if it was offered here, by whomever; else nothing happens. */
FALLIBLE blob_mark_take(const char *dir, const char *mark, struct err *err);
/* Forgets one that was offered and not taken. */
void blob_mark_withdraw(const char *dir, const char *mark);

#endif
