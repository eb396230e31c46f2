#include "remodel.h"

/*
 * A disk is disks/<id>: disk.json (first in, last out), data/ (what the VM sees), attached (`<vm> <incarnation>`:
 * written before it is mounted, removed after it is unmounted). An attachment to a VM that is gone, or was made anew,
 * is none. A disk and its VM have one owner. attach and detach take the lock of the disk only; the VM's agent checks
 * the fence a second time for the VM.
 */
static char *in_disk(const char *id, const char *name) {
  static char path[400];
  snprintf(path, sizeof path, "disks/%s/%s", id, name);
  return path;
}

static bool attached_to(const char *id, char *vm, char *incarnation) {
  char text[400], now[64];
  if (read_small(AT_FDCWD, in_disk(id, "attached"), text, sizeof text)) return false;
  if (sscanf(text, "%199s %63s", vm, incarnation) != 2) return false;
  return vm_incarnation(vm, now, sizeof now) && !strcmp(now, incarnation);
}

static void must_exist(const char *id) {
  if (access(in_disk(id, "disk.json"), F_OK)) refuse("not-found", "there is no disk %s", id);
}

void verb_create_disk(struct fields *f) {
  const char *id = field(f), *record = field(f), *scope = field(f);
  long number = field_number(f), pid = field_number(f);
  if (f->bad) refuse("invalid-input", "a malformed request");
  int lock_fd = lock("disk", id);
  check_fence(&lock_fd, "disk", id, scope, number);
  if (!access(in_disk(id, "data"), F_OK)) {
    answer("ok", "found", NULL);
    return;
  }
  /* Readers remember whose a folder is for as long as it is there, and this record may have another owner. */
  char path[300];
  snprintf(path, sizeof path, "disks/%s", id);
  if (remove_tree(AT_FDCWD, path)) refuse("infrastructure", "cannot remove %s: %s", path, not_removed());
  for (int i = 0; (mkdir(path, 0700) && errno != EEXIST) || replace_file(in_disk(id, "disk.json"), record, strlen(record)); i++)
    if (errno != ENOENT || i == 20) refuse("infrastructure", "cannot record disk %s: %s", id, strerror(errno));
  failpoint("create_disk.recorded");
  effect("create_disk", id, NULL, NULL, scope, number, pid);
  if (mkdir(in_disk(id, "data"), 0755)) refuse("infrastructure", "cannot make disk %s: %s", id, strerror(errno));
  answer("ok", "made", NULL);
}

/* The size is only what the record says: directories have none. */
void verb_resize_disk(struct fields *f) {
  const char *id = field(f), *record = field(f), *scope = field(f);
  long number = field_number(f), pid = field_number(f);
  if (f->bad) refuse("invalid-input", "a malformed request");
  int lock_fd = lock("disk", id);
  check_fence(&lock_fd, "disk", id, scope, number);
  must_exist(id);
  if (replace_file(in_disk(id, "disk.json"), record, strlen(record)))
    refuse("infrastructure", "cannot record disk %s: %s", id, strerror(errno));
  effect("resize_disk", id, NULL, NULL, scope, number, pid);
  answer("ok", "resized", NULL);
}

void verb_delete_disk(struct fields *f) {
  char vm[200], incarnation[64], path[300];
  const char *id = field(f), *scope = field(f);
  long number = field_number(f), pid = field_number(f);
  if (f->bad) refuse("invalid-input", "a malformed request");
  int lock_fd = lock("disk", id);
  check_fence(&lock_fd, "disk", id, scope, number);
  if (access(in_disk(id, "disk.json"), F_OK)) {
    answer("ok", "absent", NULL);
    return;
  }
  if (attached_to(id, vm, incarnation)) refuse("conflict", "disk %s is attached to VM %s", id, vm);
  if (remove_tree(AT_FDCWD, in_disk(id, "data")) || remove_tree(AT_FDCWD, in_disk(id, "attached")))
    refuse("infrastructure", "cannot remove disk %s: %s", id, strerror(errno));
  effect("delete_disk", id, NULL, NULL, scope, number, pid);
  unlink(in_disk(id, "disk.json"));
  snprintf(path, sizeof path, "disks/%s", id);
  rmdir(path);
  answer("ok", "deleted", NULL);
}

static enum said ask_store(const char *vm, char type, const char *disk, const char *scope, long number, char *code,
                           char *message, size_t size) {
  struct buf request = {0};
  buf_text(&request, scope);
  buf_textf(&request, "%ld", number);
  buf_text(&request, disk);
  enum said said = ask_agent(vm, type, &request, 4500, code, message, size);
  buf_free(&request);
  return said;
}

void verb_attach_disk(struct fields *f) {
  char holder[200], incarnation[64], code[900], message[900], text[300];
  const char *vm = field(f), *id = field(f), *foreign = field(f), *scope = field(f);
  long number = field_number(f), pid = field_number(f);
  if (f->bad) refuse("invalid-input", "a malformed request");
  int lock_fd = lock("disk", id);
  check_fence(&lock_fd, "disk", id, scope, number);
  must_exist(id);
  bool attached = attached_to(id, holder, incarnation);
  if (attached && strcmp(holder, vm)) refuse("conflict", "disk %s is attached to VM %s", id, holder);
  if (!vm_incarnation(vm, incarnation, sizeof incarnation)) refuse("not-found", "there is no VM %s", vm);
  if (*foreign) refuse("conflict", "disk %s and VM %s belong to different owners", id, vm);
  snprintf(text, sizeof text, "%s %s\n", vm, incarnation);
  if (replace_file(in_disk(id, "attached"), text, strlen(text)))
    refuse("infrastructure", "cannot record the attachment of disk %s: %s", id, strerror(errno));
  failpoint("attach_disk.recorded");
  enum said said = ask_store(vm, 'M', id, scope, number, code, message, sizeof code);
  if (said != SAID_OK) {
    /* After silence it may still be mounted a moment later, so the record stays; after a no it is certain. */
    if (said == SAID_NO && !attached) unlink(in_disk(id, "attached"));
    refuse(said == SAID_NO ? code : "infrastructure", "disk %s was not attached: %s", id,
           said == SAID_NO ? message : "the VM does not answer");
  }
  failpoint("attach_disk.mounted");
  /* `code` of a yes says whether it was mounted only now. */
  if (*code) effect("attach_disk", id, "vm", vm, scope, number, pid);
  answer("ok", NULL);
}

void verb_detach_disk(struct fields *f) {
  char holder[200], incarnation[64], code[900], message[900];
  const char *vm = field(f), *id = field(f), *scope = field(f);
  long number = field_number(f), pid = field_number(f);
  if (f->bad) refuse("invalid-input", "a malformed request");
  int lock_fd = lock("disk", id);
  check_fence(&lock_fd, "disk", id, scope, number);
  bool attached = attached_to(id, holder, incarnation) && !strcmp(holder, vm);
  if (!attached) {
    answer("ok", "absent", NULL);
    return;
  }
  /* A dead VM holds nothing; a busy one gets two seconds to let go. */
  for (int i = 0; agent_listens(vm); i++) {
    enum said said = ask_store(vm, 'U', id, scope, number, code, message, sizeof code);
    if (said == SAID_OK) break;
    if (said == SAID_NO && !strcmp(code, "infrastructure") && i < 40) {
      usleep(50000);
      continue;
    }
    refuse(said == SAID_NO ? code : "infrastructure", "disk %s was not detached: %s", id,
           said == SAID_NO ? message : "the VM does not answer");
  }
  failpoint("detach_disk.unmounted");
  effect("detach_disk", id, "vm", vm, scope, number, pid);
  unlink(in_disk(id, "attached"));
  answer("ok", "detached", NULL);
}
