#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "ring/ring.hpp"

namespace router {

/// How often each vnode is asked for, by one worker: one operation in 16 is counted. Written by
/// that worker, read by any thread. Its memory is taken as vnodes are touched, a page at a time.
class Heat {
 public:
  static constexpr std::uint32_t kSampled = 16;

  explicit Heat(std::uint32_t vnodes);

  void operation(ring::Vnode vnode) {
    // A step of a linear congruence: a plain count to 16 would fall into step with clients'
    // patterns.
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    if (random_ >> 60 == 0) count(vnode);
  }
  [[nodiscard]] std::uint32_t counted(ring::Vnode vnode) const;
  [[nodiscard]] std::uint32_t vnodes() const { return vnodes_; }
  [[nodiscard]] std::size_t bytes() const;  ///< at most: when every page has been touched

 private:
  struct Free {
    void operator()(std::uint32_t* cells) const;
  };
  void count(ring::Vnode vnode);

  std::uint32_t vnodes_;
  std::unique_ptr<std::uint32_t[], Free> cells_;
  std::uint64_t random_ = 1;
};

}  // namespace router
