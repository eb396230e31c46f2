#include "remodel.h"

void *must(void *p) {
  if (!p) _exit(70);
  return p;
}

void buf_add(struct buf *b, const void *p, size_t n) {
  if (b->len + n > b->cap) {
    size_t cap = b->cap ? b->cap : 512;
    while (cap < b->len + n) cap *= 2;
    b->p = must(realloc(b->p, cap));
    b->cap = cap;
  }
  if (n) memcpy(b->p + b->len, p, n);
  b->len += n;
}

void buf_text(struct buf *b, const char *s) { buf_add(b, s, strlen(s) + 1); }

void buf_textf(struct buf *b, const char *format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  buf_text(b, text);
}

void buf_drop(struct buf *b, size_t n) {
  memmove(b->p, b->p + n, b->len - n);
  b->len -= n;
  /* An idle agent gives back what a large request took. */
  if (!b->len && b->cap > 65536) buf_free(b);
}

void buf_free(struct buf *b) {
  free(b->p);
  *b = (struct buf){0};
}

void buf_json(struct buf *b, const char *s) {
  buf_add(b, "\"", 1);
  for (; *s; s++) {
    char escaped[8];
    if (*s == '"' || *s == '\\')
      snprintf(escaped, sizeof escaped, "\\%c", *s);
    else if ((unsigned char)*s < 0x20)
      snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned char)*s);
    else
      snprintf(escaped, sizeof escaped, "%c", *s);
    buf_add(b, escaped, strlen(escaped));
  }
  buf_add(b, "\"", 1);
}

char *field(struct fields *f) {
  char *end = f->p < f->end ? memchr(f->p, 0, (size_t)(f->end - f->p)) : NULL;
  if (!end) {
    f->bad = true;
    return "";
  }
  char *s = f->p;
  f->p = end + 1;
  return s;
}

long field_number(struct fields *f) {
  char *s = field(f), *end;
  long n = strtol(s, &end, 10);
  if (!*s || *end || n < 0) f->bad = true;
  return n;
}

long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
