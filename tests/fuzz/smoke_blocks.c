#include "blocks.c"

#include "smoke.h"
