#pragma once

#include "backends/rpc.hpp"

/// What a moray connection has to know of the RPCs that go over it. Pure.
namespace backends::moray {

/// Whether it may change something, so that its order among a vnode's requests matters.
constexpr bool may_write(Rpc rpc) {
  switch (rpc) {
    case Rpc::get_bucket:
    case Rpc::list_buckets:
    case Rpc::get_object:
    case Rpc::find_objects:
    case Rpc::get_tokens:
    case Rpc::ping:
    case Rpc::version:
    case Rpc::listen:
    case Rpc::unlisten: return false;
    case Rpc::create_bucket:
    case Rpc::update_bucket:
    case Rpc::del_bucket:
    case Rpc::put_object:
    case Rpc::del_object:
    case Rpc::update_objects:
    case Rpc::delete_many:
    case Rpc::batch:
    case Rpc::reindex_objects:
    case Rpc::sql: return true;
  }
  return true;
}

/// Whether a moray that works answers within seconds. The others take as long as their rows or
/// indexes do, and their silence says nothing.
constexpr bool answered_promptly(Rpc rpc) {
  switch (rpc) {
    case Rpc::get_bucket:
    case Rpc::list_buckets:
    case Rpc::get_object:
    case Rpc::get_tokens:
    case Rpc::ping:
    case Rpc::version:
    case Rpc::put_object:
    case Rpc::del_object:
    case Rpc::batch: return true;
    case Rpc::find_objects:
    case Rpc::listen:
    case Rpc::unlisten:
    case Rpc::create_bucket:
    case Rpc::update_bucket:
    case Rpc::del_bucket:
    case Rpc::update_objects:
    case Rpc::delete_many:
    case Rpc::reindex_objects:
    case Rpc::sql: return false;
  }
  return false;
}

}  // namespace backends::moray
