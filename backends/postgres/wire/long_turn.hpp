#pragma once

#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace backends::postgres {

/// The turn of the one connection of a loop that may take longer than its time. When it has, the
/// loop's others wait until the handlers that were ready have run, and then have it one after the
/// other, so that clients are seen to between any two of them, however many connections have large
/// results. One for each loop, by `use_service`, as long as it; on the loop's thread. O(1).
class LongTurn final : public boost::asio::execution_context::service {
 public:
  static inline boost::asio::execution_context::id id;

  explicit LongTurn(boost::asio::execution_context& loop)
      : service(loop), loop_(static_cast<boost::asio::io_context&>(loop)) {}

  [[nodiscard]] bool taken() const { return taken_; }
  /// Until the handlers that are ready now have run. A connection that posts itself before that, to
  /// go on, finds it taken, and so comes after those that wait for it already.
  void take() {
    if (taken_) return;
    taken_ = true;
    boost::asio::post(loop_, [this] { taken_ = false; });
  }

 private:
  void shutdown() override {}

  boost::asio::io_context& loop_;
  bool taken_ = false;
};

}  // namespace backends::postgres
