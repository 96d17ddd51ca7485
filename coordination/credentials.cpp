#include "coordination/credentials.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace coordination {

/// Who may write a fleet's nodes decides where every key of it goes.
void read_credentials(const std::string& path, ZooKeeperOptions& into) {
  if (path.empty()) return;
  const auto wrong = [&](const std::string& why) {
    return std::runtime_error("fleet.credentialsFile " + path + ": " + why);
  };
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) throw wrong(std::generic_category().message(errno));
  if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    throw wrong("others may read it; its mode must be 0600");
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  const std::size_t colon = line.find(':');
  if (!file || colon == std::string::npos || colon == 0 || colon + 1 == line.size())
    throw wrong("its first line must be user:password");
  into.user = line.substr(0, colon);
  into.password = line.substr(colon + 1);
}

}  // namespace coordination
