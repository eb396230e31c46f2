/* Entries of the guestbook in one SQLite file: bodies are LZ4 frames, each guarded by its xxHash. */
#include <stddef.h>
#include <stdint.h>

struct storage;

/* Opens the file, making it and its table if missing. NULL on failure, with the reason on standard error. */
struct storage *storage_open(const char *path);
void storage_close(struct storage *storage);

/*
 * Adds an entry and returns its id, or -1. The entry is durable only after storage_commit: the caller answers no client
 * before that, so that one write to the disk serves every request of a turn of its loop.
 */
int64_t storage_add(struct storage *storage, const char *text, size_t length);
/* 0, or -1 where what was added since the last commit is lost. Costs nothing where nothing was added. */
int storage_commit(struct storage *storage);

/* -1 on failure. */
int64_t storage_count(struct storage *storage);

typedef void storage_visitor(void *context, int64_t id, const char *text, size_t length);
/* Newest first, at most `limit`, only ids below `before`. -1 on failure, also where an entry's hash does not match. */
int storage_list(struct storage *storage, int64_t before, int limit, storage_visitor *visit, void *context);
