#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "router/control/ring_control.hpp"

namespace router {

/// Images of this router's rings, for its fleet's other members: of the one in force, and of those
/// in its store, which has the one before it and the one that is staged. Few at a time, whether
/// they are made, or on their way to somebody. They are made on the control's thread for looks, in
/// the background. Any thread; what it has lent may outlive it.
class ImageShelf {
 public:
  static constexpr std::size_t kAtOnce = 3;
  /// The last image is kept, so that a fleet that asks for it has it made once, unless it has more
  /// bytes than this.
  static constexpr std::size_t kKeptBytesMost = 16U << 20;

  enum class Outcome : std::uint8_t {
    lent,
    not_here,
    busy,    ///< it can be asked again in a second or so
    failed,  ///< `why` says it
  };
  /// Counts as one on its way as long as somebody has its `bytes`.
  struct Lent {
    Outcome outcome = Outcome::failed;
    std::shared_ptr<const std::string> bytes;
    std::string why;
  };
  using Told = std::function<void(Lent)>;

  /// As RingControl::ring_of.
  using RingOf = std::function<void(std::string, Done<std::shared_ptr<const ring::Ring>>)>;

  explicit ImageShelf(RingOf ring_of);

  /// `told`: from inside, or where `ring_of` tells; not where that never does.
  void lend(const std::string& digest, const Told& told);

 private:
  struct Shared;
  const RingOf ring_of_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace router
