/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_DSP_DSP_H
#define SH_ENGINE_DSP_DSP_H
/* The table of kernels for one level of instruction set. The contracts are in the headers of the ops. */
#include "engine/dsp/conv.h"
#include "engine/dsp/half.h"
#include "engine/dsp/peak.h"
#include "engine/dsp/pixel.h"
#include "engine/dsp/point.h"
#include "engine/dsp/q8.h"
#include "engine/dsp/row.h"
#include <stdbool.h>
#include "engine/dsp/scale.h"

typedef struct sh_dsp {
#define SH_KERNEL(name, type) type name;
#include "engine/dsp/kernels.inc"
#undef SH_KERNEL
} sh_dsp;

/* Fills the table for a spyhop_cpu level (not AUTO), which the machine must have: from scalar C upwards. */
void sh_dsp_select(sh_dsp *dsp, int cpu);
/* Whether the processor has a spyhop_cpu level (not AUTO) and the operating system saves its registers. */
bool sh_cpu_has(int cpu);
/* The highest level that it has. */
int sh_cpu_detect(void);

#endif
