#pragma once

#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>

#include "backends/shard.hpp"

namespace test_support {

/// A kind of shard for the contract test: makes one that is empty. What it needs besides (a
/// directory, a process) lives as long as the maker.
class ShardMaker {
 public:
  virtual ~ShardMaker() = default;
  virtual std::unique_ptr<backends::Shard> make(boost::asio::io_context& loop,
                                                std::size_t in_flight_max) = 0;
};

/// What every shard must do (backends/shard.hpp). Part of a test case.
void check_contract(ShardMaker& maker);

}  // namespace test_support
