/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/schema.h"

const char sh_schema_flows[] = "";
