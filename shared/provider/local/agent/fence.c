#include "remodel.h"
#include <sys/file.h>

/*
 * Where a fence is checked: a change under a smaller number than the largest one seen is refused. Helpers check before
 * they change the directory (check_fence), agents before they do what a request asks for (admit).
 */

static int lock_scope(const char *scope, int how) {
  unsigned hash = 2166136261u;
  char name[8];
  for (const char *at = scope; *at; at++) hash = (hash ^ (unsigned char)*at) * 16777619u;
  snprintf(name, sizeof name, "%02x", hash & 0xff);
  return lock_file("scopes", name, how);
}

/*
 * Refuses a number smaller than the largest seen, else records it. Called with the lock held, before any change. The
 * shared lock of the scope is kept until we end. An equal number is of the same attempt: no two attempts have one
 * (shared/ledger/lua/fence.lua).
 */
void check_fence(int *lock_fd, const char *kind, const char *id, const char *scope, long number) {
  if (!*scope) return;
  long off = fence_largest(lock_scope(scope, LOCK_SH), scope);
  if (number < off) refuse("superseded", "fence %ld of %s was fenced off by %ld", number, scope, off);
  long largest = fence_largest(*lock_fd, scope);
  if (number < largest)
    refuse("superseded", "fence %ld of %s is older than %ld, which %s %s has seen", number, scope, largest, kind, id);
  if (number > largest && fence_append(*lock_fd, scope, number))
    refuse("infrastructure", "cannot record the fence of %s %s: %s", kind, id, strerror(errno));
  char name[300];
  snprintf(name, sizeof name, "fences/%s-%s", kind, id);
  fence_compact(AT_FDCWD, name, lock_fd);
}

/*
 * The fence, in the same step as the change: a smaller number is refused before anything happens, a larger one
 * is written down first, and ends what still runs under a smaller one before the new request begins. An equal
 * one is of the same attempt.
 */
bool admit(struct conn *c, const char *scope, long number) {
  if (!*scope) return true;
  long largest = fence_largest(held.fences, scope);
  if (number < largest) {
    conn_fail(c, "superseded", "fence %ld of %s is older than %ld, which this VM has seen", number, scope, largest);
    return false;
  }
  if (number == largest) return true;
  if (fence_append(held.fences, scope, number)) {
    conn_fail(c, "infrastructure", "the fence cannot be recorded: %s", strerror(errno));
    return false;
  }
  fence_compact(held.vm_dir, "fences", &held.fences);
  if (commands_supersede(scope, number)) return true;
  conn_fail(c, "infrastructure", "a command of an older fence of %s does not end", scope);
  return false;
}

/*
 * Records numbers for everything that a scope may change, whether it exists already or not: `n`, then scope and number.
 * Waits for the changes that are under way: what began under a smaller number has ended when this answers.
 */
void verb_fence_off(struct fields *f) {
  for (long n = field_number(f); n > 0 && !f->bad; n--) {
    const char *scope = field(f);
    long number = field_number(f);
    if (f->bad || !*scope) break;
    int fd = lock_scope(scope, LOCK_EX);
    if (number > fence_largest(fd, scope) && fence_append(fd, scope, number))
      refuse("infrastructure", "cannot record the fence of %s: %s", scope, strerror(errno));
    close(fd);
  }
  if (f->bad) refuse("invalid-input", "a malformed request");
  failpoint("fence_off.recorded");
  answer("ok", NULL);
}
