#pragma once

#include <cstdint>
#include <string>

#include "backends/embedded/table.hpp"
#include "backends/embedded/transaction.hpp"
#include "backends/rpc.hpp"
#include "objects/js_value.hpp"
#include "objects/result.hpp"

/// Each RPC of an embedded shard but findObjects, as a function over one transaction. Arguments
/// have been checked (objects::check_arguments). Live on the owner's thread; throw StoreError.
namespace backends::embedded {

/// What an RPC works with.
struct Work {
  Transaction& transaction;
  TableCache& tables;
  std::int64_t now_ms;   ///< since 1970
  std::uint64_t random;  ///< fresh for each RPC
};

/// The values that the RPC sends.
using Values = objects::Result<objects::JsArray>;

Values create_bucket(const Work& work, const objects::JsArray& arguments);
Values get_bucket(const Work& work, const objects::JsArray& arguments);
Values list_buckets(const Work& work);
Values update_bucket(const Work& work, const objects::JsArray& arguments);
Values del_bucket(const Work& work, const objects::JsArray& arguments);
Values put_object(const Work& work, const objects::JsArray& arguments);
Values get_object(const Work& work, const objects::JsArray& arguments);
Values del_object(const Work& work, const objects::JsArray& arguments);
Values update_objects(const Work& work, const objects::JsArray& arguments);
Values delete_many(const Work& work, const objects::JsArray& arguments);
Values batch(const Work& work, const objects::JsArray& arguments);
Values reindex_objects(const Work& work, const objects::JsArray& arguments);

// The parts that batch shares with the RPCs.

/// Returns the new etag.
objects::Result<std::string> put(const Work& work, const std::string& bucket,
                                 const std::string& key, const objects::JsObject& value,
                                 const objects::JsValue& options);
objects::Failed erase(const Work& work, const std::string& bucket, const std::string& key,
                      const objects::JsValue& options);
struct Updated {
  std::int64_t count = 0;
  std::string etag;  ///< of all rows updated
};
objects::Result<Updated> update(const Work& work, const std::string& bucket,
                                const objects::JsObject& fields, const std::string& filter,
                                const objects::JsValue& options);
objects::Result<std::int64_t> erase_many(const Work& work, const std::string& bucket,
                                         const std::string& filter,
                                         const objects::JsValue& options);

}  // namespace backends::embedded
