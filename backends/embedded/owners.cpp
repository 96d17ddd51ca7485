#include "backends/embedded/owners.hpp"

#include <filesystem>

namespace backends::embedded {

std::shared_ptr<Owner> Owners::open(StoreOptions options, bool sync) {
  const std::string directory = std::filesystem::weakly_canonical(options.directory).string();
  const std::scoped_lock lock(mutex_);
  if (auto known = by_directory_[directory].lock()) {
    known->set_sync(sync);
    return known;
  }
  auto owner = std::make_shared<Owner>(std::move(options), sync);
  by_directory_[directory] = owner;
  return owner;
}

}  // namespace backends::embedded
