#include "remodel.h"

/* The answer of a helper: NUL-ended strings on stdout, the first is `ok` or `error`. The reader may be gone. */
void answer(const char *first, ...) {
  struct buf out = {0};
  va_list args;
  va_start(args, first);
  for (const char *s = first; s; s = va_arg(args, const char *)) buf_text(&out, s);
  va_end(args);
  write_all(1, out.p, out.len);
  buf_free(&out);
}

void refuse(const char *code, const char *format, ...) {
  char message[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  answer("error", code, message, NULL);
  exit(1);
}

/* Armed by tests: the helper and the process that asked for it die here, as if the whole worker were lost. */
const char *armed_failpoint = "";
void failpoint(const char *name) {
  if (strcmp(armed_failpoint, name)) return;
  kill(getppid(), SIGKILL);
  raise(SIGKILL);
}
