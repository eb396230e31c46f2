#include "records.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static const char query[] =
    "SELECT DISTINCT value ->> 'address' FROM json_each(?1, '$.records') WHERE value ->> 'group' = ?2 ORDER BY 1";

/* The whole file as a string to be freed, or NULL. */
static char *read_file(const char *path, int *length) {
  FILE *file = fopen(path, "re");
  if (!file) return NULL;
  char *text = NULL;
  size_t room = 0;
  ssize_t got = getdelim(&text, &room, 0, file);
  fclose(file);
  if (got > 0) {
    *length = (int)got;
    return text;
  }
  free(text);
  return NULL;
}

int records_read(const char *path, const char *group, char addresses[address_limit][address_size]) {
  static sqlite3 *json;
  static sqlite3_stmt *select;
  if (!json && sqlite3_open(":memory:", &json) != SQLITE_OK) return -1;
  if (!select && sqlite3_prepare_v2(json, query, -1, &select, NULL) != SQLITE_OK) {
    fprintf(stderr, "follow-addresses: %s\n", sqlite3_errmsg(json));
    return -1;
  }
  int length, count = 0, result;
  char *text = read_file(path, &length);
  if (!text) return -1;
  sqlite3_bind_text(select, 1, text, length, free);
  sqlite3_bind_text(select, 2, group, -1, SQLITE_STATIC);
  while ((result = sqlite3_step(select)) == SQLITE_ROW && count < address_limit)
    snprintf(addresses[count++], address_size, "%s", (const char *)sqlite3_column_text(select, 0));
  if (result == SQLITE_ERROR) fprintf(stderr, "follow-addresses: %s: %s\n", path, sqlite3_errmsg(json));
  sqlite3_reset(select);
  sqlite3_clear_bindings(select);
  return result == SQLITE_DONE || result == SQLITE_ROW ? count : -1;
}
