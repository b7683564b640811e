/* false: failure. */
#include "user/lib/tool.h"

int main(void) { return 1; }
