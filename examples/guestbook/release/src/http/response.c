#include "http.h"

static const char *reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 503: return "Service Unavailable";
    default: return "Internal Server Error";
  }
}

sds http_format(sds out, const struct http_response *response, bool keep_alive) {
  out = sdscatprintf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: %s\r\n\r\n",
                     response->status, reason(response->status), response->type, sdslen(response->body),
                     keep_alive ? "keep-alive" : "close");
  return sdscatsds(out, response->body);
}

sds http_json_string(sds out, const char *text, size_t length) {
  out = sdscatlen(out, "\"", 1);
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)text[i];
    if (byte == '"' || byte == '\\') out = sdscatprintf(out, "\\%c", byte);
    else if (byte < 0x20) out = sdscatprintf(out, "\\u%04x", byte);
    else out = sdscatlen(out, &text[i], 1);
  }
  return sdscatlen(out, "\"", 1);
}
