#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "fleet/images/image.hpp"
#include "fleet/service/image_nodes.hpp"

namespace router {

/// Images of sets of vnodes for a fleet's member, one at a time, by the session that there is.
/// Lives on the session's thread.
class ImageFetch {
 public:
  /// nullopt: `why` says it, and `for_good` whether it is of no use to ask again.
  using Fetched = std::function<void(std::optional<fleet::Image>, std::string why, bool for_good)>;

  explicit ImageFetch(fleet::Paths paths) : paths_(std::move(paths)) {}

  /// Null: there is none; what waits for an answer of it is told so.
  void session(coordination::Session* session);
  /// `fetched` may be called from inside, where there is no session.
  void fetch(const std::string& digest, Fetched fetched);

 private:
  const fleet::Paths paths_;
  coordination::Session* session_ = nullptr;
  std::uint64_t asked_ = 0;  // so often: an answer to another question is none
  Fetched waiting_;
  std::string digest_;  // of the image that was fetched last
  int missing_ = 0;     // so often, one time after the other, it was not there
};

}  // namespace router
