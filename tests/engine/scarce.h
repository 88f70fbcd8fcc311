/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_ENGINE_SCARCE_H
#define TESTS_ENGINE_SCARCE_H
/* malloc and its kin, replaced by ones that count their calls and fail when told. A program that is linked
 * with `scarce_links` of meson.build gets them, and so does every archive in it, the engine among them;
 * shared libraries do not. */

/* The nth allocation of this thread from here on fails, and no other; 0: none. */
void scarce_fail(long nth);
/* Allocations of all threads so far. */
long scarce_calls(void);

#endif
