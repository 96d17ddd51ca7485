#include "bench/proxy/process_figures.hpp"

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace bench {

std::uint64_t processor_nanoseconds(const std::vector<pid_t>& processes) {
  std::uint64_t sum = 0;
  for (const pid_t process : processes) {
    const std::string tasks = "/proc/" + std::to_string(process) + "/task";
    if (!std::filesystem::exists(tasks))
      throw std::runtime_error("process " + std::to_string(process) + " is gone");
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      std::uint64_t nanoseconds = 0;
      std::ifstream(task.path() / "schedstat") >> nanoseconds;
      sum += nanoseconds;
    }
  }
  return sum;
}

std::uint64_t resident_kib(const std::vector<pid_t>& processes) {
  std::uint64_t sum = 0;
  for (const pid_t process : processes) {
    std::ifstream status("/proc/" + std::to_string(process) + "/status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("VmRSS:")) sum += std::stoull(line.substr(6));
  }
  return sum;
}

}  // namespace bench
