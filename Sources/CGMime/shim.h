// GMime 3.2 as Swift sees it. Only what Swift cannot reach by itself belongs here: variadic functions and macros.
// There are none: GMime's cast macros (GMIME_OBJECT and its like) only check types at run time, and every function
// that MIME calls has a fixed list of arguments.

#ifndef CAMPAIGND_CGMIME_SHIM_H
#define CAMPAIGND_CGMIME_SHIM_H

#include <gmime/gmime.h>

#endif
