/* true: success. */
#include "user/lib/tool.h"

int main(void) { return 0; }
