#pragma once

#include <functional>

namespace router {

/// Lets every other thread of the process go first on a busy machine, where the system can.
void run_in_background();

/// Does work on a thread of its own, in the background, and waits for it. Throws what it throws.
/// For loading rings: seconds of a core that workers may need; whoever waits stays as urgent as it
/// was.
void in_background(const std::function<void()>& work);

}  // namespace router
