/*
 * guestbook init CONFIG   makes the database
 * guestbook serve CONFIG  serves until SIGTERM; SIGUSR1 makes /health answer 503 and changes nothing else
 */
#include <errno.h>
#include <http.h>
#include <stamp.h>
#include <stdio.h>
#include <stdlib.h>
#include <storage.h>
#include <string.h>

struct config {
  char address[64], database[512], instance[128], greeting[512];
  int port;
};

struct guestbook {
  struct config config;
  struct storage *storage;
  bool draining;
};

/* Lines of `key=value`; unknown keys are an error, so that a typing error in a template does not go unseen. */
static bool read_config(const char *path, struct config *config) {
  FILE *file = fopen(path, "re");
  if (!file) {
    fprintf(stderr, "guestbook: %s: %s\n", path, strerror(errno));
    return false;
  }
  char line[1024];
  bool good = true;
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    char *value = strchr(line, '=');
    if (!value) continue;
    *value++ = 0;
    if (strcmp(line, "address") == 0) snprintf(config->address, sizeof config->address, "%s", value);
    else if (strcmp(line, "database") == 0) snprintf(config->database, sizeof config->database, "%s", value);
    else if (strcmp(line, "instance") == 0) snprintf(config->instance, sizeof config->instance, "%s", value);
    else if (strcmp(line, "greeting") == 0) snprintf(config->greeting, sizeof config->greeting, "%s", value);
    else if (strcmp(line, "port") == 0) config->port = atoi(value);
    else {
      fprintf(stderr, "guestbook: %s: unknown key %s\n", path, line);
      good = false;
    }
  }
  fclose(file);
  return good && config->port > 0 && *config->address && *config->database;
}

struct listing {
  sds out;
  const char *separator;
};

static void append_entry(void *context, int64_t id, const char *text, size_t length) {
  struct listing *listing = context;
  listing->out = sdscatprintf(listing->out, "%s{\"id\":%lld,\"text\":", listing->separator, (long long)id);
  listing->out = http_json_string(listing->out, text, length);
  listing->out = sdscat(listing->out, "}");
  listing->separator = ",\n";
}

static void fail(struct http_response *response, int status, const char *why) {
  response->status = status;
  response->body = sdscatprintf(response->body, "%s\n", why);
}

static void add_entry(struct guestbook *book, const struct http_request *request, struct http_response *response) {
  if (request->body_length == 0) return fail(response, 400, "an entry has a text");
  int64_t id = storage_add(book->storage, request->body, request->body_length);
  if (id < 0) return fail(response, 503, "the entry could not be stored");
  response->status = 201;
  response->type = "application/json";
  response->body = sdscatprintf(response->body, "{\"id\":%lld,\"instance\":\"%s\"}\n", (long long)id, book->config.instance);
}

static void list_entries(struct guestbook *book, const struct http_request *request, struct http_response *response) {
  int64_t limit = http_query_number(request->query, "limit", 20);
  int64_t before = http_query_number(request->query, "before", INT64_MAX);
  if (limit < 1 || limit > 1000) return fail(response, 400, "limit is between 1 and 1000");
  struct listing listing = {.out = sdscat(response->body, "["), .separator = ""};
  int result = storage_list(book->storage, before, (int)limit, append_entry, &listing);
  response->body = sdscat(listing.out, "]\n");
  response->type = "application/json";
  if (result == 0) return;
  sdsclear(response->body);
  response->type = "text/plain; charset=utf-8";
  fail(response, 500, "the entries could not be read");
}

static void count_entries(struct guestbook *book, struct http_response *response) {
  int64_t count = storage_count(book->storage);
  if (count < 0) return fail(response, 500, "the entries could not be counted");
  response->type = "application/json";
  response->body = sdscatprintf(response->body, "{\"count\":%lld}\n", (long long)count);
}

static void tell_version(struct guestbook *book, struct http_response *response) {
  response->type = "application/json";
  response->body = sdscatprintf(response->body, "{\"version\":\"%s\",\"instance\":\"%s\",\"address\":\"%s\",\"greeting\":",
                                version_stamp, book->config.instance, book->config.address);
  response->body = http_json_string(response->body, book->config.greeting, strlen(book->config.greeting));
  response->body = sdscat(response->body, "}\n");
}

static void handle(void *context, const struct http_request *request, struct http_response *response) {
  struct guestbook *book = context;
  bool get = strcmp(request->method, "GET") == 0, post = strcmp(request->method, "POST") == 0;
  bool entries = strcmp(request->path, "/entries") == 0;
  if (!get && !(post && entries)) fail(response, 405, "only GET, and POST /entries");
  else if (post) add_entry(book, request, response);
  else if (entries) list_entries(book, request, response);
  else if (strcmp(request->path, "/count") == 0) count_entries(book, response);
  else if (strcmp(request->path, "/version") == 0) tell_version(book, response);
  else if (strcmp(request->path, "/") == 0) response->body = sdscatprintf(response->body, "%s\n", book->config.greeting);
  else if (strcmp(request->path, "/health") != 0) fail(response, 404, "no such page");
  else if (book->draining) fail(response, 503, "draining");
  else response->body = sdscat(response->body, "ok\n");
}

static int settle(void *context) { return storage_commit(((struct guestbook *)context)->storage); }

static void drain(void *context) {
  ((struct guestbook *)context)->draining = true;
  fprintf(stderr, "guestbook: draining\n");
}

int main(int argc, char **argv) {
  struct guestbook book = {0};
  bool init = argc == 3 && strcmp(argv[1], "init") == 0;
  if (!init && !(argc == 3 && strcmp(argv[1], "serve") == 0)) {
    fprintf(stderr, "usage: guestbook init|serve CONFIG\n");
    return 2;
  }
  if (!read_config(argv[2], &book.config) || !(book.storage = storage_open(book.config.database))) return 1;
  struct http_hooks hooks = {.context = &book, .handle = handle, .settle = settle, .drain = drain};
  int code = init ? 0 : http_serve(book.config.address, book.config.port, &hooks);
  storage_close(book.storage);
  return code;
}
