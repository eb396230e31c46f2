/*
 * follow-addresses RECORDS GROUP SOCKET BACKEND PORT
 *
 * Keeps the servers of a HAProxy backend equal to the addresses of a group, through the runtime API: HAProxy is never
 * reloaded, so no connection of a client ever breaks. A server of the backend is a slot. An address that vanished
 * leaves its slot in maintenance (requests that are under way end as usual); a new address takes a free slot.
 *
 * It keeps no state of its own: every second, and whenever the table changes, it asks HAProxy for its servers and
 * changes the difference. So either of the two may be started again at any time.
 */
#include "haproxy.h"
#include "records.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { slot_limit = 128, look_ms = 25, check_ms = 1000 };

struct follower {
  const char *records, *group, *socket, *backend, *port;
};

static int find(char addresses[address_limit][address_size], int count, const char *address) {
  for (int i = 0; i < count; i++)
    if (strcmp(addresses[i], address) == 0) return i;
  return -1;
}

static bool command(const struct follower *follower, const char *text) {
  char answer[1024];
  bool asked = haproxy_ask(follower->socket, text, answer, sizeof answer);
  answer[strcspn(answer, "\n")] = 0;
  fprintf(stderr, "follow-addresses: %s%s%s\n", text, *answer ? ": " : "", asked ? answer : "HAProxy does not answer");
  return asked;
}

static bool retire(const struct follower *follower, const char *slot) {
  char text[256];
  snprintf(text, sizeof text, "set server %.63s/%.63s state maint", follower->backend, slot);
  return command(follower, text);
}

/*
 * HAProxy takes a server that leaves maintenance for healthy until its first check says otherwise. `health down` makes
 * it wait for that check. All in one line, which HAProxy carries out without serving a request in between.
 */
static bool enlist(const struct follower *follower, const char *slot, const char *address) {
  char text[1024];
  snprintf(text, sizeof text,
           "set server %1$.63s/%2$.63s addr %3$.63s port %4$.15s; set server %1$.63s/%2$.63s state ready; "
           "set server %1$.63s/%2$.63s health down",
           follower->backend, slot, address, follower->port);
  return command(follower, text);
}

/* True where HAProxy now has what the table says. */
static bool follow(const struct follower *follower) {
  static char addresses[address_limit][address_size];
  static struct slot slots[slot_limit];
  int wanted = records_read(follower->records, follower->group, addresses);
  if (wanted < 0) return false;
  int count = haproxy_slots(follower->socket, follower->backend, slots, slot_limit);
  if (count < 0) return false;

  bool served[address_limit] = {false}, done = true;
  for (int i = 0; i < count; i++) {
    if (slots[i].maintenance) continue;
    int address = find(addresses, wanted, slots[i].address);
    if (address >= 0 && !served[address]) {
      served[address] = true;
    } else {
      done = retire(follower, slots[i].name) && done;
      slots[i].maintenance = true;
    }
  }
  for (int address = 0, i = 0; address < wanted; address++) {
    if (served[address]) continue;
    while (i < count && !slots[i].maintenance) i++;
    if (i == count) {
      fprintf(stderr, "follow-addresses: no free slot for %s\n", addresses[address]);
      return false;
    }
    done = enlist(follower, slots[i].name, addresses[address]) && done;
    slots[i].maintenance = false;
  }
  return done;
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: follow-addresses RECORDS GROUP SOCKET BACKEND PORT\n");
    return 2;
  }
  struct follower follower = {argv[1], argv[2], argv[3], argv[4], argv[5]};
  signal(SIGPIPE, SIG_IGN);
  struct stat seen = {0};
  int since = check_ms;
  for (;;) {
    /* Looked at, not watched: a table that is replaced from outside the machine's mounts raises no event inside. */
    struct stat now = {0};
    stat(follower.records, &now);
    bool changed = now.st_ino != seen.st_ino || now.st_mtim.tv_sec != seen.st_mtim.tv_sec ||
                   now.st_mtim.tv_nsec != seen.st_mtim.tv_nsec || now.st_size != seen.st_size;
    seen = now;
    if (changed || since >= check_ms) since = follow(&follower) ? 0 : check_ms - 200;
    nanosleep(&(struct timespec){.tv_nsec = look_ms * 1000 * 1000}, NULL);
    since += look_ms;
  }
}
