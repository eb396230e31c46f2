/* A small HTTP/1.1 server for one thread: epoll, keep-alive, pipelining, bodies with a Content-Length. */
#include <sds.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All of it points into the connection's buffer and is valid only while the request is handled. */
struct http_request {
  char method[8];
  const char *path; /* ends with a zero byte */
  const char *query; /* what follows the `?`, or "" */
  const char *body;
  size_t body_length;
  bool keep_alive;
};

/* The body is JSON or plain text that the handler appends to. */
struct http_response {
  int status;
  const char *type;
  sds body;
};

/* A number of the query string, or `otherwise` where it is missing or not a number. */
int64_t http_query_number(const char *query, const char *name, int64_t otherwise);
/* Appends text as a JSON string, quotes included. Bytes that are no UTF-8 are passed through. */
sds http_json_string(sds out, const char *text, size_t length);

struct http_hooks {
  void *context;
  void (*handle)(void *context, const struct http_request *request, struct http_response *response);
  /*
   * Called once a turn of the loop, before any answer of that turn is sent. Not 0: nothing is sent and the server ends.
   */
  int (*settle)(void *context);
  /* SIGUSR1: said once. */
  void (*drain)(void *context);
};

/*
 * Serves until SIGTERM or SIGINT: then takes what already waits to be accepted, finishes what was begun, closes.
 * Connections that are idle are closed at once; those that are stuck after five seconds. Returns an exit code.
 */
int http_serve(const char *address, int port, const struct http_hooks *hooks);

/* For server.c: how far parsing a buffer got. `used` bytes make up the request. */
enum http_parsed { HTTP_MORE, HTTP_REQUEST, HTTP_BAD, HTTP_TOO_LARGE, HTTP_LENGTH_REQUIRED };
enum http_parsed http_parse(char *buffer, size_t length, struct http_request *request, size_t *used);
/* Appends head and body. */
sds http_format(sds out, const struct http_response *response, bool keep_alive);
