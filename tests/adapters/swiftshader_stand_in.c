// Stands in for libvk_swiftshader.so, the one Vulkan driver that Chromium takes WebGPU's fallback adapter from. It
// opens Mesa's lavapipe, which the loader's library path has to lead to. Chromium accepts the adapter only with
// SwiftShader's vendor and device, so these two fields are all that is answered otherwise.

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef void (*Function)(void);
typedef Function (*GetInstanceProcAddr)(void *instance, const char *name);

/** The first fields of VkPhysicalDeviceProperties. */
typedef struct {
  uint32_t api_version, driver_version, vendor, device;
} Properties;

/** VkPhysicalDeviceProperties2, as far as the same fields. */
typedef struct {
  int32_t type;
  void *next;
  Properties properties;
} Properties2;

static void (*lavapipe_properties)(void *physical_device, Properties *);
static void (*lavapipe_properties2)(void *physical_device, Properties2 *);

static void call_it_swiftshader(Properties *properties) {
  properties->vendor = 0x1AE0;
  properties->device = 0xC0DE;
}

static void get_properties(void *physical_device, Properties *properties) {
  lavapipe_properties(physical_device, properties);
  call_it_swiftshader(properties);
}

static void get_properties2(void *physical_device, Properties2 *properties) {
  lavapipe_properties2(physical_device, properties);
  call_it_swiftshader(&properties->properties);
}

static GetInstanceProcAddr open_lavapipe(void) {
  void *library = dlopen("libvulkan_lvp.so", RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) fprintf(stderr, "no lavapipe: %s\n", dlerror());
  return library == NULL ? NULL : (GetInstanceProcAddr)dlsym(library, "vk_icdGetInstanceProcAddr");
}

EXPORT Function vkGetInstanceProcAddr(void *instance, const char *name) {
  static GetInstanceProcAddr lavapipe;
  if (lavapipe == NULL) lavapipe = open_lavapipe();
  if (lavapipe == NULL) return NULL;
  if (strcmp(name, "vkGetInstanceProcAddr") == 0) return (Function)vkGetInstanceProcAddr;

  Function function = lavapipe(instance, name);
  if (function == NULL) return NULL;
  if (strcmp(name, "vkGetPhysicalDeviceProperties") == 0) {
    lavapipe_properties = (void (*)(void *, Properties *))function;
    return (Function)get_properties;
  }
  if (strcmp(name, "vkGetPhysicalDeviceProperties2") == 0 ||
      strcmp(name, "vkGetPhysicalDeviceProperties2KHR") == 0) {
    lavapipe_properties2 = (void (*)(void *, Properties2 *))function;
    return (Function)get_properties2;
  }
  return function;
}
