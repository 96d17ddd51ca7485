#pragma once

#include "ring/load.hpp"

namespace CLI {
class App;
}

namespace router::cli {

/// Reads rings by this program in a process of its own.
ring::Loader load_in_child();

/// Each adds its sub-command; the sub-command's callback stores its exit code in `exit_code`.
void add_admin(CLI::App& program, int& exit_code);
/// Gives the command, so that others can add theirs to it.
CLI::App& add_ring(CLI::App& program, int& exit_code);
/// What a router starts to read a ring; not for people.
void add_ring_image(CLI::App& program, int& exit_code);
void add_serve(CLI::App& program, int& exit_code);
void add_dev(CLI::App& program, int& exit_code);
void add_fleet(CLI::App& program, int& exit_code);

}  // namespace router::cli
