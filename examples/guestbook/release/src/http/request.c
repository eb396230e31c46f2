#include "http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { head_limit = 16 * 1024, body_limit = 256 * 1024 };

/* The value of a header line that starts with `name:`, its end cut off; NULL if it is another header. */
static char *header_value(char *line, const char *name) {
  size_t length = strlen(name);
  if (strncasecmp(line, name, length) != 0 || line[length] != ':') return NULL;
  char *value = line + length + 1;
  while (*value == ' ' || *value == '\t') value++;
  return value;
}

static enum http_parsed parse_headers(char *line, char *end, struct http_request *request) {
  while (line < end) {
    char *stop = memchr(line, '\n', (size_t)(end - line));
    char *next = stop ? stop + 1 : end;
    if (stop && stop > line && stop[-1] == '\r') stop[-1] = 0;
    else if (stop) *stop = 0;
    char *value;
    if ((value = header_value(line, "Content-Length"))) {
      char *rest;
      errno = 0;
      unsigned long long length = strtoull(value, &rest, 10);
      if (errno || rest == value || *value == '-' || *value == '+') return HTTP_BAD;
      if (length > body_limit) return HTTP_TOO_LARGE;
      request->body_length = (size_t)length;
    } else if (header_value(line, "Transfer-Encoding")) {
      return HTTP_LENGTH_REQUIRED;
    } else if ((value = header_value(line, "Connection"))) {
      if (strcasestr(value, "close")) request->keep_alive = false;
      else if (strcasestr(value, "keep-alive")) request->keep_alive = true;
    }
    line = next;
  }
  return HTTP_REQUEST;
}

/* Writes zero bytes into the head only once the whole request is there, so that a later call sees it unchanged. */
enum http_parsed http_parse(char *buffer, size_t length, struct http_request *request, size_t *used) {
  char *end = memmem(buffer, length, "\r\n\r\n", 4);
  if (!end) return length > head_limit ? HTTP_TOO_LARGE : HTTP_MORE;
  size_t head = (size_t)(end - buffer) + 4;

  char copy[head_limit + 1];
  if (head > head_limit) return HTTP_TOO_LARGE;
  memcpy(copy, buffer, head);
  copy[head] = 0;
  memset(request, 0, sizeof *request);
  /* memmem: what was sent may hold zero bytes. It finds one, since the head ends with two. */
  char *line_end = memmem(copy, head, "\r\n", 2);
  request->keep_alive = line_end - copy > 8 && memcmp(line_end - 8, "HTTP/1.1", 8) == 0;
  enum http_parsed parsed = parse_headers(line_end + 2, copy + head - 2, request);
  if (parsed != HTTP_REQUEST) return parsed;
  if (length < head + request->body_length) return HTTP_MORE;

  char *space = memchr(buffer, ' ', head), *target = space ? space + 1 : NULL;
  char *target_end = target ? memchr(target, ' ', head - (size_t)(target - buffer)) : NULL;
  if (!target_end || (size_t)(space - buffer) >= sizeof request->method || *target != '/') return HTTP_BAD;
  memcpy(request->method, buffer, (size_t)(space - buffer));
  *target_end = 0;
  char *question = strchr(target, '?');
  if (question) *question = 0;
  request->path = target;
  request->query = question ? question + 1 : "";
  request->body = buffer + head;
  *used = head + request->body_length;
  return HTTP_REQUEST;
}

int64_t http_query_number(const char *query, const char *name, int64_t otherwise) {
  size_t length = strlen(name);
  for (const char *part = query; part; part = strchr(part, '&') ? strchr(part, '&') + 1 : NULL) {
    if (strncmp(part, name, length) != 0 || part[length] != '=') continue;
    char *rest;
    errno = 0;
    long long number = strtoll(part + length + 1, &rest, 10);
    return errno || rest == part + length + 1 || (*rest && *rest != '&') ? otherwise : number;
  }
  return otherwise;
}
