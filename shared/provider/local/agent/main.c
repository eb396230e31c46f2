#include "remodel.h"
#include <sys/resource.h>

int main(int argc, char **argv) {
  static const struct { const char *name; void (*run)(struct fields *f); } verbs[] = {
      {"create_vm", verb_create_vm},     {"delete_vm", verb_delete_vm},     {"create_disk", verb_create_disk},
      {"delete_disk", verb_delete_disk}, {"attach_disk", verb_attach_disk}, {"detach_disk", verb_detach_disk},
      {"resize_disk", verb_resize_disk}, {"prune", verb_prune},
      {"fence_off", verb_fence_off}};
  /* A machine whose agent is older than the built-in is given this program as a file. */
  if (argc == 3 && !strcmp(argv[1], "relay")) return relay(argv[2]);
  struct buf in = {0};
  char chunk[65536];
  ssize_t n;
  while ((n = read(0, chunk, sizeof chunk)) > 0) buf_add(&in, chunk, (size_t)n);
  /* The caller may be gone before we answer; the change is finished all the same. */
  signal(SIGPIPE, SIG_IGN);
  /* Node raises the soft limit for itself; programs in a VM get what a login would give them. */
  struct rlimit files;
  if (!getrlimit(RLIMIT_NOFILE, &files)) {
    files.rlim_cur = files.rlim_max < 65536 ? files.rlim_max : 65536;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  struct fields f = {in.p, in.p + in.len, false};
  if (argc > 2) armed_failpoint = argv[2];
  for (size_t i = 0; argc >= 2 && i < sizeof verbs / sizeof *verbs; i++)
    if (!strcmp(argv[1], verbs[i].name)) {
      verbs[i].run(&f);
      return 0;
    }
  refuse("invalid-input", "no such verb");
}
