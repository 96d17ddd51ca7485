#include "router/control/background.hpp"

#include <future>

#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace router {

void run_in_background() {
#ifdef __linux__
  // Linux keeps a nice value for each thread; elsewhere it is the process's, which must stay.
  constexpr int kNice = 10;
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNice);
#endif
}

void in_background(const std::function<void()>& work) {
  std::async(std::launch::async, [&work] {
    run_in_background();
    work();
  }).get();
}

}  // namespace router
