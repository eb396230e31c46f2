/*
 * The machine side of the local provider: one binary with two lives.
 *
 *   HELPER  `agent <verb>`, started by the provider for every change to the directory (its working directory). It takes
 *           the lock of the VM or disk, checks and records the fence, makes the change and leaves, all in one process
 *           of its own session: a worker that is frozen or killed in the middle never sits on a lock.
 *   AGENT   PID 1 of a VM, forked from the helper that made it. It listens on vms/<id>/agent.sock.
 *
 * Directory:
 *   fences/scopes-<n>    lines `<number> <scope>`, for scopes of hash n: fences that hold for every VM and disk, also for those
 *                        that are made later (fence_off). A change under a fence locks it shared.
 *   fences/<kind>-<id>   lines `<number> <scope>`; also the lock (flock) of that VM or disk. Outlives the VM, so that a
 *                        writer that wakes up after a delete is still refused.
 *   vms/<id>/vm.json     the intent: written before anything else, removed after everything else
 *   vms/<id>/ready       the commit marker
 *   vms/<id>/pid         `<pid> <start time> <pid namespace> <boot id> <incarnation> <cgroup or ->`
 *   vms/<id>/fences      what the agent has seen; vms/<id>/{upper,work,root,vcap,tmp} the layers
 *   vms/<id>/rooms/<n>   the layers of a room of a renewable VM
 *   disks/<id>/disk.json, disks/<id>/data, disks/<id>/attached: `<vm> <incarnation>`
 *   tmp/                 files on their way to an atomic rename
 *
 * Protocol of agent.sock, one request per connection:
 *   frame    = u32 length of the payload (little endian), u8 type, payload
 *   strings  = bytes ended by NUL; numbers are strings; <fence> is two strings, scope and number; scope "" is no fence
 *
 *   to the agent                                        answers
 *   'E' <fence> cwd argc argv.. envc env..              'A' started, then 'O' stdout, 'R' stderr, 'G' u32 credit, 'T'
 *       argv[0] "\1put" path mode / "\1get" path: built-in file write and read, run like a command
 *       argv[0] "\1relay" path: stdin and stdout become a stream to a unix socket
 *   'I' bytes for stdin, 'C' end of stdin, 'K' kill     at most CREDIT bytes of 'I' may be on their way
 *   'S' <fence> n, n times name pidfile start stop seconds   'A' when the ones that left the set are gone
 *   'B' <fence> start all                               'A' when the start commands were run
 *   'H' <fence> milliseconds: stop all                  'A' `ended` or `killed` when all are gone
 *   'Q' status                                          'Q' n, n times name state pid restarts uptime
 *   'M' <fence> disk: mount at /var/vcap/store, 'U' <fence> disk: unmount       'A'
 *   'F' <fence> only remember the fence                 'A'
 *   'W' <fence> kill every process of the room           'A' when none is left
 *   'N' <fence> a new room                               'A' bytes that are free: as new, nothing of the room before is there
 *   'L' n, n times scope number: remember all of them, the smaller ones of those it knows are passed over      'A'
 *   'D' <fence> kill every process and end              'A', then PID 1 is gone
 *   'P' ping, at any time                               'P'
 *   'T' exit code or "", signal number or ""; 'X' error code (shared/runtime/errors.ts), message:
 *   both are the last frame
 *
 * The client closes the connection when it has the last frame. A client that goes away takes its command with it: the
 * command and all its descendants are killed.
 */
#ifndef REMODEL_H
#define REMODEL_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define CREDIT (256 * 1024)
#define MAX_REQUEST (16u * 1024 * 1024)
#define DEFAULT_PATH "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin"

/* text.c: growing buffers and NUL-ended fields */
struct buf { char *p; size_t len, cap; };
void buf_add(struct buf *b, const void *p, size_t n);
void buf_text(struct buf *b, const char *s);
void buf_textf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_drop(struct buf *b, size_t n);
void buf_free(struct buf *b);
void buf_json(struct buf *b, const char *s);
struct fields { char *p, *end; bool bad; };
char *field(struct fields *f);
long field_number(struct fields *f);
void *must(void *p);
long now_ms(void);

/* tree.c: files and directories */
int write_all(int fd, const void *p, size_t n);
int read_small(int dir, const char *path, char *into, size_t size);
int write_small(int dir, const char *path, const char *text, int mode);
int replace_file(const char *path, const void *p, size_t n);
int make_dirs(const char *path, int mode);
int remove_tree(int dir, const char *name);
const char *not_removed(void);

/* fence-file.c: the numbers that a VM or disk has seen */
long fence_largest(int fd, const char *scope);
int fence_append(int fd, const char *scope, long number);
int fence_merge(int from, int to);
void fence_compact(int dir, const char *name, int *fd);

/* fence.c: where a fence is checked */
void verb_fence_off(struct fields *f);
void check_fence(int *lock_fd, const char *kind, const char *id, const char *scope, long number);

/* refuse.c: what a helper answers */
void answer(const char *first, ...) __attribute__((sentinel));
void refuse(const char *code, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
extern const char *armed_failpoint;
void failpoint(const char *name);

/* lock.c */
int lock_file(const char *kind, const char *id, int how);
int lock(const char *kind, const char *id);
void effect(const char *name, const char *id, const char *other_key, const char *other, const char *scope, long number,
            long pid);

/* client.c: a helper talks to an agent */
enum said { SAID_OK, SAID_NOTHING, SAID_NO };
bool agent_listens(const char *vm);
enum said ask_agent(const char *vm, char type, const struct buf *request, int timeout_ms, char *code, char *message,
                    size_t size);

/* process.c: identity and end of processes */
unsigned long long start_time(pid_t pid, char *state);
void boot_identity(char *into, size_t size);
int pidfd_of(pid_t pid);
bool wait_gone(int pidfd, int timeout_ms);
bool kill_tree(pid_t root);
void close_from(int first);

/* cgroup.c */
bool cgroup_make(const char *id, pid_t pid, const char *cpus, const char *memory, char *path, size_t size);
void cgroup_remove(const char *path);

/* vm.c, disk.c: verbs of the helper */
void verb_create_vm(struct fields *f);
void verb_delete_vm(struct fields *f);
void verb_create_disk(struct fields *f);
void verb_resize_disk(struct fields *f);
void verb_delete_disk(struct fields *f);
void verb_attach_disk(struct fields *f);
void verb_detach_disk(struct fields *f);
void verb_prune(struct fields *f);
bool vm_incarnation(const char *id, char *into, size_t size);

/* boot.c */
struct boot {
  const char *id, *lower, *hosts, *network;
  /* Lines `<directory of the host>\t<place in the machine>`. */
  const char *mounts;
  /* Lines: directories of the host that a machine on the host's root does not see. */
  const char *hidden;
  /* new_user: we must make a user namespace; restricted: the machine lives in one, ours or that of a container. */
  bool new_user, restricted;
  /* Commands run in rooms (room.c). */
  bool renewable;
  /* The way from the layers to the provider's directory. */
  const char *up;
  int from_helper, to_helper;
};
struct held { int vm_dir, fences, disks, listener; };
bool prepare_layers(const struct boot *b);
struct held boot_machine(const struct boot *b);
void boot_room(const struct boot *b, int to_agent);
void reboot_room(int to_agent);

/* room.c */
struct conn;
bool open_rooms(const struct boot *b, char *said, size_t size);
bool has_rooms(void);
bool room_enter(void);
void room_use(void);
void room_renew(struct conn *c);
void room_end_processes(struct conn *c);
void room_reaped(pid_t pid);

/* hidden.c */
int hide_directories(const struct boot *b);
bool is_hidden(const struct boot *b, const char *path);

/* graft.c */
int graft_host_root(const struct boot *b);

/* capabilities.c */
void shed_capabilities(void);

/* agent.c */
struct watch { int fd; uint32_t events; void (*ready)(struct watch *w, uint32_t events); void *owner; };
void watch_set(struct watch *w, uint32_t events);
void watch_close(struct watch *w);
void reap_children(void);
void run_agent(struct held held) __attribute__((noreturn));

/* connection.c */
struct command;
struct conn {
  struct watch watch;
  struct buf in, out;
  struct command *command;
  /* What the connection waits for: 0, 'S', 'B' or 'H' (supervision), 'N' (what an earlier room left). */
  char waits;
  bool ending;
  struct conn *next;
};
extern struct conn *connections;
extern struct held held;
void conn_accept(struct watch *w, uint32_t events);
void conn_send(struct conn *c, char type, const void *p, size_t n);
void conn_fail(struct conn *c, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void conn_done(struct conn *c);
void conn_done_with(struct conn *c, const char *word);
bool admit(struct conn *c, const char *scope, long number); /* fence.c */

/* command.c */
void command_start(struct conn *c, const char *scope, long number, struct fields *f);
void command_input(struct conn *c, const char *p, size_t n);
void command_input_end(struct conn *c);
void command_kill(struct conn *c);
void command_gone(struct conn *c);
void command_drained(struct conn *c);
bool commands_supersede(const char *scope, long number);
void child_signals(void);

/* file.c: built-in commands */
int run_builtin(char **argv);

/* relay.c */
int relay(const char *path);

/* supervise.c */
void supervise_set(struct conn *c, struct fields *f);
void supervise_start(struct conn *c);
void supervise_stop(struct conn *c, long timeout_ms);
void supervise_status(struct conn *c);
void supervise_reaped(pid_t pid, int status);
int supervise_tick(void);

/* store.c */
void store_mount(struct conn *c, const char *disk);
void store_unmount(struct conn *c, const char *disk);
#endif
