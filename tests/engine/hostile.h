/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_ENGINE_HOSTILE_H
#define TESTS_ENGINE_HOSTILE_H
/* What the engine owes to any bytes at all: it refuses them with a status and words, or it takes them as a
 * model, and then the model describes itself within bounds, opens or is refused, and runs on small pictures
 * at every level of the processor. A network of whole numbers gives the same bytes at each. Whatever breaks
 * that ends the program. */
#include <stddef.h>
#include <stdint.h>

typedef enum hostile_end { HOSTILE_REFUSED, HOSTILE_LOADED, HOSTILE_RAN } hostile_end;

/* seed chooses the picture's size, depth and samples. */
hostile_end hostile_try(const uint8_t *data, size_t size, uint32_t seed);

#endif
