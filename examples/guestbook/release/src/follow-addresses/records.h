/* The addresses of a group of instances, from the table that every machine has in dns/records.json. */

enum { address_limit = 64, address_size = 64 };

/* How many, or -1 where the table is missing or broken: then nothing is known, which is not the same as no address. */
int records_read(const char *path, const char *group, char addresses[address_limit][address_size]);
