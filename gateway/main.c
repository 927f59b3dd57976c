/* SPDX-License-Identifier: Apache-2.0 */
/* The one binary: every command, the server and the simulator among them. */
#include "gateway/cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
