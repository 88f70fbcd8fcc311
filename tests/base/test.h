/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_BASE_TEST_H
#define TESTS_BASE_TEST_H
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#endif
