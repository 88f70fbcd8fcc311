/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_DSP_DSP_H
#define SH_ENGINE_DSP_DSP_H
/* The table of kernels for one level of instruction set. The contracts are in the headers of the ops. */
#include "engine/dsp/conv.h"
#include "engine/dsp/peak.h"
#include "engine/dsp/pixel.h"
#include "engine/dsp/point.h"
#include "engine/dsp/row.h"
#include "engine/dsp/scale.h"

typedef struct sh_dsp {
#define SH_KERNEL(name, type) type name;
#include "engine/dsp/kernels.inc"
#undef SH_KERNEL
} sh_dsp;

/* Fills the table for a spyhop_cpu level (not AUTO), which the machine must have: from scalar C upwards. */
void sh_dsp_select(sh_dsp *dsp, int cpu);
/* The highest spyhop_cpu level that the processor has and the operating system saves the registers of. */
int sh_cpu_detect(void);

#endif
