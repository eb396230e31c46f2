#include "storage.h"

#include <lz4frame.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct storage {
  sqlite3 *db;
  sqlite3_stmt *add, *count, *list;
  bool in_transaction;
};

static const char schema[] =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = FULL;"
    "CREATE TABLE IF NOT EXISTS entries ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  length INTEGER NOT NULL,"
    "  hash INTEGER NOT NULL,"
    "  frame BLOB NOT NULL"
    ") STRICT;";

static void complain(struct storage *storage, const char *doing) {
  fprintf(stderr, "storage: %s: %s\n", doing, sqlite3_errmsg(storage->db));
}

static bool prepare(struct storage *storage, const char *sql, sqlite3_stmt **statement) {
  if (sqlite3_prepare_v3(storage->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) == SQLITE_OK) return true;
  complain(storage, sql);
  return false;
}

struct storage *storage_open(const char *path) {
  struct storage *storage = calloc(1, sizeof *storage);
  if (!storage) return NULL;
  bool opened = sqlite3_open(path, &storage->db) == SQLITE_OK;
  /* The instance before this one may still be closing the file. */
  if (opened) sqlite3_busy_timeout(storage->db, 5000);
  if (!opened || sqlite3_exec(storage->db, schema, NULL, NULL, NULL) != SQLITE_OK) {
    complain(storage, path);
    storage_close(storage);
    return NULL;
  }
  if (prepare(storage, "INSERT INTO entries (length, hash, frame) VALUES (?1, ?2, ?3)", &storage->add) &&
      prepare(storage, "SELECT count(*) FROM entries", &storage->count) &&
      prepare(storage, "SELECT id, length, hash, frame FROM entries WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
              &storage->list))
    return storage;
  storage_close(storage);
  return NULL;
}

void storage_close(struct storage *storage) {
  if (!storage) return;
  sqlite3_finalize(storage->add);
  sqlite3_finalize(storage->count);
  sqlite3_finalize(storage->list);
  sqlite3_close(storage->db);
  free(storage);
}

int64_t storage_add(struct storage *storage, const char *text, size_t length) {
  if (!storage->in_transaction) {
    if (sqlite3_exec(storage->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
      complain(storage, "begin");
      return -1;
    }
    storage->in_transaction = true;
  }
  size_t room = LZ4F_compressFrameBound(length, NULL);
  char *frame = malloc(room);
  if (!frame) return -1;
  size_t packed = LZ4F_compressFrame(frame, room, text, length, NULL);
  if (LZ4F_isError(packed)) {
    fprintf(stderr, "storage: compress: %s\n", LZ4F_getErrorName(packed));
    free(frame);
    return -1;
  }
  sqlite3_bind_int64(storage->add, 1, (sqlite3_int64)length);
  sqlite3_bind_int64(storage->add, 2, (sqlite3_int64)XXH64(text, length, 0));
  sqlite3_bind_blob64(storage->add, 3, frame, packed, free);
  int result = sqlite3_step(storage->add);
  if (result != SQLITE_DONE) complain(storage, "add");
  sqlite3_reset(storage->add);
  sqlite3_clear_bindings(storage->add);
  return result == SQLITE_DONE ? sqlite3_last_insert_rowid(storage->db) : -1;
}

int storage_commit(struct storage *storage) {
  if (!storage->in_transaction) return 0;
  storage->in_transaction = false;
  if (sqlite3_exec(storage->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK) return 0;
  complain(storage, "commit");
  return -1;
}

int64_t storage_count(struct storage *storage) {
  int64_t count = sqlite3_step(storage->count) == SQLITE_ROW ? sqlite3_column_int64(storage->count, 0) : -1;
  if (count < 0) complain(storage, "count");
  sqlite3_reset(storage->count);
  return count;
}

/* The text of a row, to be freed; NULL where the frame is broken or the hash says that it is another text. */
static char *unpack(sqlite3_stmt *row, size_t length) {
  LZ4F_dctx *context;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION))) return NULL;
  char *text = malloc(length + 1);
  size_t filled = length, taken = (size_t)sqlite3_column_bytes(row, 3);
  const void *frame = sqlite3_column_blob(row, 3);
  size_t rest = text ? LZ4F_decompress(context, text, &filled, frame, &taken, NULL) : 1;
  LZ4F_freeDecompressionContext(context);
  if (rest == 0 && filled == length && (sqlite3_int64)XXH64(text, length, 0) == sqlite3_column_int64(row, 2))
    return text;
  fprintf(stderr, "storage: entry %lld is damaged\n", sqlite3_column_int64(row, 0));
  free(text);
  return NULL;
}

int storage_list(struct storage *storage, int64_t before, int limit, storage_visitor *visit, void *context) {
  sqlite3_stmt *row = storage->list;
  sqlite3_bind_int64(row, 1, before);
  sqlite3_bind_int(row, 2, limit);
  int result;
  while ((result = sqlite3_step(row)) == SQLITE_ROW) {
    size_t length = (size_t)sqlite3_column_int64(row, 1);
    char *text = unpack(row, length);
    if (!text) break;
    visit(context, sqlite3_column_int64(row, 0), text, length);
    free(text);
  }
  if (result != SQLITE_DONE && result != SQLITE_ROW) complain(storage, "list");
  sqlite3_reset(row);
  return result == SQLITE_DONE ? 0 : -1;
}
