#include "capability.h"

extern "C" int hwadder_best_capability() { return best_capability(); }
