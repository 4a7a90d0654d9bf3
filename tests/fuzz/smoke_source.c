#include "source.c"

#include "smoke.h"
