#include "remodel.h"
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/*
 * The life of a VM's record: nothing -> vm.json (intent: it is ours to finish or to remove) -> pid (a process may run)
 * -> ready (commit: it is a VM). Back: processes gone -> files gone -> vm.json gone, so that what is half removed is
 * still found by its ownership. Every verb holds the lock of the VM from its first look to its last change.
 */
static char *in_vm(const char *id, const char *name) {
  static char path[400];
  snprintf(path, sizeof path, "vms/%s/%s", id, name);
  return path;
}

struct pid_file { pid_t pid; unsigned long long start; char place[160], incarnation[64], cgroup[2100]; };

static bool read_pid_file(const char *id, struct pid_file *p) {
  char text[2600], namespace[64], boot[64];
  return !read_small(AT_FDCWD, in_vm(id, "pid"), text, sizeof text) &&
         sscanf(text, "%d %llu %63s %63s %63s %2099s", &p->pid, &p->start, namespace, boot, p->incarnation, p->cgroup) == 6 &&
         snprintf(p->place, sizeof p->place, "%s %s", namespace, boot) > 0;
}

/* Differs between two VMs that had the same id. */
bool vm_incarnation(const char *id, char *into, size_t size) {
  struct pid_file p;
  if (!read_pid_file(id, &p)) return false;
  snprintf(into, size, "%s", p.incarnation);
  return true;
}

/* A writer that only the agent has seen counts as well: its fences outlive it here. */
static void learn_fences(int lock_fd, const char *id) {
  int fd = open(in_vm(id, "fences"), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  fence_merge(fd, lock_fd);
  close(fd);
}

/* Ends every process of the VM and waits for it. `scope` "" means that no fence refuses. */
static void end_processes(const char *id, const char *scope, long number) {
  struct pid_file p;
  char place[160], code[64], message[900];
  bool known = read_pid_file(id, &p);
  if (agent_listens(id)) {
    struct buf request = {0};
    buf_text(&request, scope);
    buf_textf(&request, "%ld", number);
    if (ask_agent(id, 'D', &request, 700, code, message, sizeof code) == SAID_NO && !strcmp(code, "superseded"))
      refuse("superseded", "fence %ld of %s is older than what VM %s has seen", number, scope, id);
    buf_free(&request);
  }
  boot_identity(place, sizeof place);
  if (known && !strcmp(place, p.place)) {
    char state = 0;
    int fd = pidfd_of(p.pid);
    if (fd >= 0 && start_time(p.pid, &state) == p.start && state != 'Z') {
      syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
      if (!wait_gone(fd, 10000)) refuse("infrastructure", "VM %s does not end: process %d", id, p.pid);
    }
    if (fd >= 0) close(fd);
  }
  /* Made in another container: its number means nothing here, so only its own agent can end it. */
  for (int i = 0; agent_listens(id); i++) {
    if (i == 100) refuse("infrastructure", "VM %s does not answer and cannot be ended from here", id);
    usleep(10000);
  }
  if (known) cgroup_remove(p.cgroup);
}

/* Everything but the intent. */
static void clear_files(const char *id) {
  static const char *const names[] = {"ready", "agent.sock", "rooms", "upper", "work", "root", "vcap", "tmp", "fences", "fences.new",
                                      "pid", NULL};
  for (int i = 0; names[i]; i++)
    if (remove_tree(AT_FDCWD, in_vm(id, names[i])))
      refuse("infrastructure", "cannot remove %s: %s", in_vm(id, names[i]), not_removed());
}

static void forget(const char *id) {
  unlink(in_vm(id, "vm.json"));
  char path[300];
  snprintf(path, sizeof path, "vms/%s", id);
  rmdir(path);
}

struct made { pid_t pid; int pidfd, from, to; };

static void map_ids(pid_t pid) {
  char path[64], text[64];
  const char *const files[] = {"setgroups", "uid_map", "gid_map"};
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "/proc/%d/%s", pid, files[i]);
    if (i == 0) snprintf(text, sizeof text, "deny");
    if (i == 1) snprintf(text, sizeof text, "0 %d 1", geteuid());
    if (i == 2) snprintf(text, sizeof text, "0 %d 1", getegid());
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
      refuse("unsupported", "user namespaces cannot be set up here: writing %s: %s", files[i], strerror(errno));
    close(fd);
  }
}

static bool all_users_mapped(void) {
  char text[128];
  unsigned inside, outside, count;
  return !read_small(AT_FDCWD, "/proc/self/uid_map", text, sizeof text) &&
         sscanf(text, "%u %u %u", &inside, &outside, &count) == 3 && count == UINT32_MAX;
}

static pid_t clone_machine(struct boot *b) {
  unsigned long flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | SIGCHLD;
  /* A renewable VM gives it to its rooms. */
  if (!strcmp(b->network, "none") && !b->renewable) flags |= CLONE_NEWNET;
  if (b->new_user) flags |= CLONE_NEWUSER;
  return (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, 0UL);
}

/* Forks PID 1 and writes down who it is before it may do anything. */
static struct made start_machine(struct boot *b, const char *cpus, const char *memory, bool *limited) {
  int down[2], up[2];
  if (pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC)) refuse("infrastructure", "pipe: %s", strerror(errno));
  b->from_helper = down[0];
  b->to_helper = up[1];
  pid_t pid = clone_machine(b);
  if (pid < 0)
    refuse(errno == EPERM || errno == EINVAL || errno == ENOSPC || errno == ENOSYS ? "unsupported" : "infrastructure",
           b->new_user ? "this machine lets no ordinary user make namespaces (unprivileged user namespaces): %s"
                             : "namespaces cannot be made (root lacks CAP_SYS_ADMIN; a container needs it: see docker-compose.yml): %s",
           strerror(errno));
  if (!pid) {
    /* Nothing else may come along: the lock lasts as long as anyone holds it open, the answer pipe too. */
    int high[] = {fcntl(open("/dev/null", O_RDWR), F_DUPFD, 100), fcntl(down[0], F_DUPFD, 100), fcntl(up[1], F_DUPFD, 100)};
    for (int fd = 0; fd < 5; fd++) dup2(high[fd < 3 ? 0 : fd - 2], fd);
    close_from(5);
    b->from_helper = 3;
    b->to_helper = 4;
    if (chdir(in_vm(b->id, "."))) _exit(1);
    run_agent(boot_machine(b));
  }
  close(down[0]);
  close(up[1]);
  if (b->new_user) map_ids(pid);
  char cgroup[2100], place[160], text[2600];
  *limited = cgroup_make(b->id, pid, cpus, memory, cgroup, sizeof cgroup);
  boot_identity(place, sizeof place);
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  snprintf(text, sizeof text, "%d %llu %s %lx-%lx-%x %s\n", pid, start_time(pid, NULL), place, (long)t.tv_sec, t.tv_nsec, pid,
           cgroup);
  if (replace_file(in_vm(b->id, "pid"), text, strlen(text))) {
    kill(pid, SIGKILL);
    refuse("infrastructure", "cannot write the pid of VM %s: %s", b->id, strerror(errno));
  }
  return (struct made){pid, pidfd_of(pid), up[0], down[1]};
}

/* "" when the machine stands, else the step that failed. */
static void wait_ready(const struct made *m, char *said, size_t size) {
  struct pollfd p = {.fd = m->from, .events = POLLIN};
  ssize_t n = poll(&p, 1, 15000) > 0 ? read(m->from, said, size - 1) : -1;
  if (n == 6 && !strcmp(said, "ready"))
    said[0] = 0;
  else if (n > 0)
    said[n] = 0;
  else
    snprintf(said, size, "%s", n == 0 ? "PID 1 died while it started" : "PID 1 did not come up within 15 s");
}

static void no_room_for(const char *id, const char *what) {
  int cause = errno;
  clear_files(id);
  forget(id);
  refuse("infrastructure", "cannot %s VM %s: %s", what, id, strerror(cause));
}

void verb_create_vm(struct fields *f) {
  struct boot b = {0};
  b.id = field(f);
  b.lower = field(f);
  b.network = field(f);
  b.hosts = field(f);
  b.mounts = field(f);
  b.hidden = field(f);
  b.renewable = *field(f);
  b.up = "../../";
  const char *cpus = field(f), *memory = field(f), *record = field(f), *trial = field(f), *scope = field(f);
  long number = field_number(f), pid = field_number(f);
  if (f->bad) refuse("invalid-input", "a malformed request");
  b.new_user = geteuid() != 0;
  b.restricted = b.new_user || !all_users_mapped();
  int lock_fd = lock("vm", b.id);
  learn_fences(lock_fd, b.id);
  check_fence(&lock_fd, "vm", b.id, scope, number);
  failpoint("create_vm.locked");
  if (!access(in_vm(b.id, "ready"), F_OK) && agent_listens(b.id)) {
    char code[64], message[900];
    struct buf request = {0};
    buf_text(&request, scope);
    buf_textf(&request, "%ld", number);
    enum said said = ask_agent(b.id, 'F', &request, 4000, code, message, sizeof code);
    if (said == SAID_NO) refuse(strcmp(code, "superseded") ? "infrastructure" : "superseded", "%s", message);
    if (said == SAID_NOTHING) refuse("infrastructure", "VM %s does not answer", b.id);
    answer("ok", "found", "limited", NULL);
    return;
  }
  end_processes(b.id, "", 0);
  clear_files(b.id);
  /* Readers remember whose a folder is for as long as it is there, and this record may have another owner. */
  char path[300];
  snprintf(path, sizeof path, "vms/%s", b.id);
  if (remove_tree(AT_FDCWD, path)) refuse("infrastructure", "cannot remove %s: %s", path, not_removed());
  /* A process that lists VMs removes empty directories: make it again. */
  for (int i = 0; (mkdir(path, 0700) && errno != EEXIST) || replace_file(in_vm(b.id, "vm.json"), record, strlen(record)); i++)
    if (errno != ENOENT || i == 20) refuse("infrastructure", "cannot record VM %s: %s", b.id, strerror(errno));
  failpoint("create_vm.recorded");

  char here[4096];
  if (!getcwd(here, sizeof here) || chdir(path) || (!b.renewable && !prepare_layers(&b))) no_room_for(b.id, "make the layers of");
  int fences = open("fences", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (chdir(here) || fences < 0 || fence_merge(lock_fd, fences)) no_room_for(b.id, "hand the fences to");
  close(fences);
  failpoint("create_vm.prepared");

  bool limited;
  char said[500] = "";
  struct made made = start_machine(&b, cpus, memory, &limited);
  write_all(made.to, "g", 1);
  failpoint("create_vm.started");
  wait_ready(&made, said, sizeof said);
  if (*said) {
    kill(made.pid, SIGKILL);
    waitpid(made.pid, NULL, 0);
    clear_files(b.id);
    forget(b.id);
    refuse("infrastructure", "VM %s cannot be made: %s", b.id, said);
  }
  if (*trial) {
    /* Never committed, so it would have died with us: a check can be killed anywhere and leaves no process. */
    kill(made.pid, SIGKILL);
    waitpid(made.pid, NULL, 0);
    clear_files(b.id);
    forget(b.id);
    answer("ok", "tried", NULL);
    return;
  }
  failpoint("create_vm.booted");
  effect("create_vm", b.id, NULL, NULL, scope, number, pid);
  if (write_small(AT_FDCWD, in_vm(b.id, "ready"), "", 0644)) no_room_for(b.id, "commit");
  failpoint("create_vm.committed");
  write_all(made.to, "g", 1);
  /* The agent lets go of the pipe when it no longer depends on us. */
  struct pollfd p = {.fd = made.from, .events = POLLIN};
  poll(&p, 1, 5000);
  answer("ok", "made", limited ? "limited" : "unlimited", NULL);
}

void verb_delete_vm(struct fields *f) {
  const char *id = field(f), *scope = field(f);
  long number = field_number(f), pid = field_number(f);
  if (f->bad) refuse("invalid-input", "a malformed request");
  int lock_fd = lock("vm", id);
  learn_fences(lock_fd, id);
  check_fence(&lock_fd, "vm", id, scope, number);
  struct stat s;
  char path[300];
  snprintf(path, sizeof path, "vms/%s", id);
  if (stat(path, &s)) {
    answer("ok", "absent", NULL);
    return;
  }
  bool recorded = !access(in_vm(id, "vm.json"), F_OK);
  failpoint("delete_vm.locked");
  end_processes(id, scope, number);
  failpoint("delete_vm.killed");
  learn_fences(lock_fd, id);
  clear_files(id);
  failpoint("delete_vm.removed");
  if (recorded) effect("delete_vm", id, NULL, NULL, scope, number, pid);
  forget(id);
  answer("ok", "deleted", NULL);
}
