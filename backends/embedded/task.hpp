#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "backends/embedded/outbox.hpp"
#include "backends/rpc.hpp"
#include "objects/js_value.hpp"

namespace backends::embedded {

/// An RPC for the owner. Its arguments have been checked.
struct Task {
  Rpc rpc = Rpc::get_object;
  objects::JsArray arguments;
  std::size_t bytes = 0;  ///< that it takes in memory, as `bytes_of` says
  std::shared_ptr<Outbox> outbox;
  std::uint64_t number = 0;        ///< the ticket's; a worker's numbers ascend
  std::shared_ptr<Stream> stream;  ///< findObjects only
};

/// A request that changes nothing and is answered from what is committed; finds apart.
bool is_read(Rpc rpc);

/// What a request takes while it waits and runs, about: its arguments as values, which can take
/// twenty times their text, and a find's filter as what it is compiled to. O(arguments).
std::size_t bytes_of(Rpc rpc, const objects::JsArray& arguments);

}  // namespace backends::embedded
