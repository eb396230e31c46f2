#include "stamp.h"

const char version_stamp[] = "1";
