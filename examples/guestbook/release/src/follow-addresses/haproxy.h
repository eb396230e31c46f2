/* The runtime API of a HAProxy on this machine: one command, or several with `;` between them, per call. */
#include <stdbool.h>
#include <stddef.h>

/* False where HAProxy cannot be asked; the answer, cut to `room`, is a string. */
bool haproxy_ask(const char *socket_path, const char *command, char *answer, size_t room);

struct slot {
  char name[64], address[64];
  bool maintenance;
};
/* The servers of a backend in their order; how many, or -1 where HAProxy cannot be asked. */
int haproxy_slots(const char *socket_path, const char *backend, struct slot *slots, int room);
