#include "remodel.h"
#include <sys/epoll.h>

/*
 * A supervised process, like `check process` of monit, but by events:
 *
 *   STOPPED  -start->  STARTING: the start command runs or has run, the pidfile is looked at until it names a live process
 *   STARTING -live pid-> RUNNING: a pidfd tells the moment it dies
 *   RUNNING  -dies->   RUNNING where the pidfile already names another live process (it re-executed itself),
 *                      else WAITING: a back-off of 50 ms, doubled up to 5 s, then STARTING again
 *   STARTING -the command fails, or no live pid in time-> WAITING, and shown as failing
 *   any      -stop->   STOPPING: the stop command runs, and a signal takes its place where the shell cannot run it; when the process
 *                      and the command are gone: STOPPED. At the deadline what is left is killed with everything below
 *                      it, which is remembered until the next start.
 *
 * Shown to clients: WAITING is `starting` after one or two deaths, `failing` after three in a row or a failed start;
 * RUNNING is `failing` until it has been up for STABLE_MS after such a row. Up for STABLE_MS forgets the row, and so
 * does a start that is asked for.
 *
 * A pidfile outlives its process, on a persistent disk even its machine, and the number in it is given to another
 * process one day. So one is believed only when it was written since: what it said when the process was first
 * supervised, or when nothing that it named was left, is remembered with the time of writing, and names nothing for as
 * long as it is the same.
 */
#define STABLE_MS 2000
#define LOG_BYTES (1024 * 1024)

enum state { STOPPED, STARTING, RUNNING, WAITING, STOPPING };
struct mark {
  dev_t dev;
  ino_t ino;
  struct timespec written;
  pid_t pid;
};
struct process {
  char *name, *pidfile, *start, *stop;
  long start_timeout_ms;
  enum state state;
  pid_t pid, command;
  struct watch death;
  long restarts, failures, since, deadline, look_at, retry_at;
  bool leaving, start_again, killed;
  struct mark past;
  struct process *next;
};
static struct process *processes;

static bool alive(pid_t pid) {
  char state = 0;
  return pid > 1 && start_time(pid, &state) && state != 'Z' && state != 'X';
}

static bool read_mark(const struct process *p, struct mark *into) {
  char text[64];
  struct stat s;
  if (stat(p->pidfile, &s) || read_small(AT_FDCWD, p->pidfile, text, sizeof text)) return false;
  *into = (struct mark){s.st_dev, s.st_ino, s.st_mtim, (pid_t)atol(text)};
  return true;
}

static bool is_past(const struct process *p, const struct mark *now) {
  const struct mark *past = &p->past;
  return now->dev == past->dev && now->ino == past->ino && now->pid == past->pid &&
         now->written.tv_sec == past->written.tv_sec && now->written.tv_nsec == past->written.tv_nsec;
}

static pid_t named_by_pidfile(const struct process *p) {
  struct mark now;
  return read_mark(p, &now) && !is_past(p, &now) && alive(now.pid) ? now.pid : 0;
}

/* Nothing of this process is left: what its pidfile says is over, unless it was written anew just now. */
static void remember_past(struct process *p) {
  struct mark now;
  if (read_mark(p, &now) && !alive(now.pid)) p->past = now;
}

/*
 * Many start scripts take a pidfile of a live process for their own, and start nothing; the number may be
 * one of their own by then.
 */
static void remove_stale_pidfile(const struct process *p) {
  struct mark now;
  if (read_mark(p, &now) && is_past(p, &now)) unlink(p->pidfile);
}

static pid_t run_line(const struct process *p, const char *line) {
  pid_t pid = fork();
  if (pid) return pid;
  char log[400];
  struct stat s;
  snprintf(log, sizeof log, "/var/vcap/monit/%s.log", p->name);
  bool large = !stat(log, &s) && s.st_size > LOG_BYTES;
  int in = open("/dev/null", O_RDONLY), out = open(log, O_WRONLY | O_CREAT | O_APPEND | (large ? O_TRUNC : 0), 0644);
  dup2(in, 0);
  dup2(out < 0 ? in : out, 1);
  dup2(1, 2);
  close_from(3);
  child_signals();
  setsid();
  shed_capabilities();
  chdir("/");
  char *env[] = {"PATH=" DEFAULT_PATH, "HOME=/root", "LANG=C", NULL};
  execle("/bin/sh", "sh", "-c", line, NULL, env);
  _exit(127);
}

static void forget_pid(struct process *p) {
  watch_close(&p->death);
  p->pid = 0;
}

static void stopped(struct process *p) {
  forget_pid(p);
  remember_past(p);
  p->state = STOPPED;
}

static void begin_start(struct process *p);

static void wait_and_retry(struct process *p, bool start_failed) {
  forget_pid(p);
  remember_past(p);
  p->failures = start_failed && p->failures < 2 ? 3 : p->failures + 1;
  long delay = 50L << (p->failures > 8 ? 7 : p->failures - 1);
  p->state = WAITING;
  p->retry_at = now_ms() + (delay > 5000 ? 5000 : delay);
}

static void died(struct watch *w, uint32_t events);

static bool follow(struct process *p, pid_t pid) {
  int fd = pidfd_of(pid);
  if (fd < 0) return false;
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  forget_pid(p);
  p->pid = pid;
  p->death = (struct watch){fd, 0, died, p};
  watch_set(&p->death, EPOLLIN);
  if (p->state != STOPPING) {
    p->state = RUNNING;
    p->since = now_ms();
  }
  return true;
}

static void died(struct watch *w, uint32_t events) {
  (void)events;
  struct process *p = w->owner;
  long up = now_ms() - p->since;
  pid_t old = p->pid;
  forget_pid(p);
  if (p->state != RUNNING) return;
  pid_t other = named_by_pidfile(p);
  if (other && other != old && follow(p, other)) return;
  if (up >= STABLE_MS) p->failures = 0;
  wait_and_retry(p, false);
}

static void begin_start(struct process *p) {
  pid_t pid = named_by_pidfile(p);
  p->killed = false;
  if (pid && follow(p, pid)) return;
  remove_stale_pidfile(p);
  p->state = STARTING;
  p->deadline = now_ms() + p->start_timeout_ms;
  p->look_at = 0;
  p->command = run_line(p, p->start);
  if (p->command < 0) {
    p->command = 0;
    wait_and_retry(p, true);
  }
}

static void begin_stop(struct process *p, long timeout_ms) {
  p->start_again = false;
  p->deadline = now_ms() + timeout_ms;
  if (p->state == STOPPED || p->state == STOPPING) return;
  if (p->state == STARTING && p->command) {
    kill_tree(p->command);
    kill(-p->command, SIGKILL);
    p->command = 0;
  }
  p->state = STOPPING;
  pid_t pid = named_by_pidfile(p);
  if (pid && pid != p->pid) follow(p, pid);
  if (p->pid && *p->stop) p->command = run_line(p, p->stop);
  else if (p->pid) kill(p->pid, SIGTERM);
  if (p->command < 0) p->command = 0;
}

static void kill_what_is_left(struct process *p) {
  if (p->command) {
    kill_tree(p->command);
    kill(-p->command, SIGKILL);
    p->command = 0;
  }
  if (p->pid) {
    kill_tree(p->pid);
    p->killed = true;
  }
  p->deadline = now_ms() + 1000;
}

/* What a shell ends with where there is no such program, or none that can be run. */
static bool never_ran(int status) {
  return WIFEXITED(status) && (WEXITSTATUS(status) == 127 || WEXITSTATUS(status) == 126);
}

void supervise_reaped(pid_t pid, int status) {
  for (struct process *p = processes; p; p = p->next) {
    if (p->command != pid) continue;
    p->command = 0;
    if (p->state == STOPPING && p->pid && never_ran(status)) kill(p->pid, SIGTERM);
    if (p->state != STARTING) return;
    pid_t live = named_by_pidfile(p);
    if (live && follow(p, live)) return;
    if (status) wait_and_retry(p, true);
    return;
  }
}

static void advance(struct process *p, long now) {
  if (p->state == STARTING && now >= p->look_at) {
    pid_t pid = named_by_pidfile(p);
    if (pid && follow(p, pid)) return;
    /* Early looks are cheap and many starts are fast; a slow one need not cost a look every 10 ms. */
    p->look_at = now + (p->deadline - now > p->start_timeout_ms - 1000 ? 10 : 40);
    if (now >= p->deadline) {
      if (p->command) kill_tree(p->command);
      p->command = 0;
      wait_and_retry(p, true);
    }
  } else if (p->state == WAITING && now >= p->retry_at) {
    p->restarts++;
    begin_start(p);
  } else if (p->state == STOPPING && !p->pid && !p->command) {
    stopped(p);
  } else if (p->state == STOPPING && now >= p->deadline) {
    kill_what_is_left(p);
  }
  if (p->state == STOPPED && p->start_again && !p->leaving) {
    p->start_again = false;
    begin_start(p);
  }
}

static void process_free(struct process *p) {
  forget_pid(p);
  free(p->name), free(p->pidfile), free(p->start), free(p->stop);
  free(p);
}

static void answer_waiting(void) {
  bool starting = false, up = false, leaving = false, killed = false;
  for (struct process *p = processes; p; p = p->next) {
    killed |= p->killed;
    starting |= p->start_again || (p->state == STARTING && p->command);
    up |= p->state == STOPPING;
    leaving |= p->leaving;
  }
  for (struct conn *c = connections; c; c = c->next) {
    if ((c->waits == 'S' && !leaving) || (c->waits == 'B' && !starting)) conn_done(c);
    if (c->waits == 'H' && !up) conn_done_with(c, killed ? "killed" : "ended");
  }
}

/* Does what is due and returns how many milliseconds may pass until it is called again; -1: until something happens. */
int supervise_tick(void) {
  long now = now_ms(), next = -1;
  for (struct process **at = &processes; *at;) {
    struct process *p = *at;
    advance(p, now);
    if (p->leaving && p->state == STOPPED) {
      *at = p->next;
      process_free(p);
      continue;
    }
    long due = p->state == STARTING   ? p->look_at
               : p->state == WAITING  ? p->retry_at
               : p->state == STOPPING ? (p->pid || p->command ? p->deadline : now)
                                      : -1;
    if (due >= 0 && (next < 0 || due < next)) next = due;
    at = &p->next;
  }
  answer_waiting();
  return next < 0 ? -1 : next <= now ? 0 : (int)(next - now);
}

static struct process *find(const char *name) {
  for (struct process *p = processes; p; p = p->next)
    if (!strcmp(p->name, name) && !p->leaving) return p;
  return NULL;
}

static void define(struct process *p, const char *pidfile, const char *start, const char *stop, long seconds) {
  bool elsewhere = !p->pidfile || strcmp(p->pidfile, pidfile);
  free(p->pidfile), free(p->start), free(p->stop);
  p->pidfile = must(strdup(pidfile));
  p->start = must(strdup(start));
  p->stop = must(strdup(stop));
  p->start_timeout_ms = seconds * 1000;
  /* Nothing that this agent started has written it. */
  if (elsewhere && !read_mark(p, &p->past)) p->past = (struct mark){0};
}

void supervise_set(struct conn *c, struct fields *f) {
  long n = field_number(f);
  struct fields check = *f;
  for (long i = 0; i < n && !check.bad; i++) {
    const char *name = field(&check);
    if (!*name || strchr(name, '/')) check.bad = true;
    field(&check), field(&check), field(&check), field_number(&check);
  }
  if (check.bad) {
    conn_fail(c, "invalid-input", "a malformed set of processes");
    return;
  }
  for (struct process *p = processes; p; p = p->next) {
    struct fields look = *f;
    bool stays = false;
    for (long i = 0; i < n; i++) {
      stays |= !strcmp(field(&look), p->name);
      field(&look), field(&look), field(&look), field(&look);
    }
    if (stays || p->leaving) continue;
    begin_stop(p, 10000);
    p->leaving = true;
  }
  for (long i = 0; i < n; i++) {
    const char *name = field(f), *pidfile = field(f), *start = field(f), *stop = field(f);
    long seconds = field_number(f);
    struct process *p = find(name);
    if (!p) {
      p = must(calloc(1, sizeof *p));
      p->name = must(strdup(name));
      p->death.fd = -1;
      p->next = processes;
      processes = p;
    }
    define(p, pidfile, start, stop, seconds);
  }
  c->waits = 'S';
}

void supervise_start(struct conn *c) {
  for (struct process *p = processes; p; p = p->next) {
    if (p->leaving) continue;
    /* A request for a start judges the deaths that come now, not those before it. */
    p->failures = 0;
    if (p->state == STOPPING) p->start_again = true;
    if (p->state == STOPPED || p->state == WAITING) begin_start(p);
  }
  c->waits = 'B';
}

void supervise_stop(struct conn *c, long timeout_ms) {
  for (struct process *p = processes; p; p = p->next)
    if (!p->leaving) begin_stop(p, timeout_ms);
  c->waits = 'H';
}

static const char *shown(const struct process *p, long now) {
  switch (p->state) {
    case STOPPED:
      return "stopped";
    case STOPPING:
      return p->pid ? "running" : "stopped";
    case RUNNING:
      return p->failures >= 3 && now - p->since < STABLE_MS ? "failing" : "running";
    default:
      return p->failures >= 3 ? "failing" : "starting";
  }
}

void supervise_status(struct conn *c) {
  struct buf out = {0};
  long n = 0, now = now_ms();
  for (struct process *p = processes; p; p = p->next) n++;
  buf_textf(&out, "%ld", n);
  for (struct process *p = processes; p; p = p->next) {
    buf_text(&out, p->name);
    buf_text(&out, shown(p, now));
    buf_textf(&out, "%d", p->pid);
    buf_textf(&out, "%ld", p->restarts);
    buf_textf(&out, "%ld", p->pid ? now - p->since : 0);
  }
  conn_send(c, 'Q', out.p, out.len);
  c->ending = true;
  buf_free(&out);
}
