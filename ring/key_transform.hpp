#pragma once

#include <string_view>

namespace ring {

/// What is hashed for a key of a bucket: the directory for `manta` and `testmanta`, the same of
/// what follows the first colon for `manta_uploads`, the key itself elsewhere. Always a part of
/// `key`, so no copy is made. Pure; O(key). Source: docs/ring.md, key transforms.
std::string_view transform_key(std::string_view bucket, std::string_view key);

}  // namespace ring
