#include "haproxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* SRV_ADMF_FMAINT | SRV_ADMF_IMAINT | SRV_ADMF_RMAINT: see `show servers state` in HAProxy's management guide. */
enum { maintenance_flags = 0x23 };

bool haproxy_ask(const char *socket_path, const char *command, char *answer, size_t room) {
  struct sockaddr_un where = {.sun_family = AF_UNIX};
  snprintf(where.sun_path, sizeof where.sun_path, "%s", socket_path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct timeval limit = {.tv_sec = 2};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  bool asked = connect(fd, (struct sockaddr *)&where, sizeof where) == 0 && dprintf(fd, "%s\n", command) > 0;
  size_t got = 0;
  ssize_t count = 0;
  while (asked && got < room - 1 && (count = recv(fd, answer + got, room - 1 - got, 0)) > 0) got += (size_t)count;
  answer[got] = 0;
  close(fd);
  return asked && count >= 0;
}

int haproxy_slots(const char *socket_path, const char *backend, struct slot *slots, int room) {
  static char answer[64 * 1024];
  char command[128];
  snprintf(command, sizeof command, "show servers state %s", backend);
  if (!haproxy_ask(socket_path, command, answer, sizeof answer)) return -1;
  int count = 0;
  for (char *line = strtok(answer, "\n"); line && count < room; line = strtok(NULL, "\n")) {
    struct slot *slot = &slots[count];
    unsigned flags;
    /* be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state ... */
    if (sscanf(line, "%*d %*s %*d %63s %63s %*d %u", slot->name, slot->address, &flags) != 3) continue;
    slot->maintenance = flags & maintenance_flags;
    count++;
  }
  return count > 0 ? count : -1;
}
